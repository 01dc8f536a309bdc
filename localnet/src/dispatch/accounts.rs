//! Remarks and balances.

use super::{Origin, Outcome};
use crate::execution::Context;
use crate::hashing::blake2_256;
use crate::runtime::constants::EXISTENTIAL_DEPOSIT;
use crate::runtime::frame_system::{self, pallet::Call};
use crate::runtime::node_subtensor_runtime::RuntimeEvent;
use crate::runtime::pallet_balances::pallet::{Error, Event};
use crate::runtime::primitive_types::H256;
use crate::runtime::sp_core::crypto::AccountId32;
use crate::runtime::sp_runtime::multiaddress::MultiAddress;
use crate::runtime::sp_runtime::{DispatchError, TokenError};

pub(super) fn remark(context: &mut Context<'_, '_>, origin: Origin, call: &Call) -> Outcome {
    if let Call::remark_with_event { remark } = call {
        let event = frame_system::pallet::Event::Remarked { sender: origin.signer()?, hash: H256(blake2_256(remark)) };
        context.deposit(RuntimeEvent::System(event));
    }
    Ok(())
}

/// Moves rao. No account is removed: what is below the existential deposit must not be left or made.
pub(super) fn transfer(
    context: &mut Context<'_, '_>,
    from: AccountId32,
    to: &MultiAddress<AccountId32, ()>,
    amount: u64,
) -> Outcome {
    let to = match to {
        MultiAddress::Id(to) => *to,
        MultiAddress::Address32(to) => AccountId32(*to),
        _ => return Err(DispatchError::CannotLookup),
    };
    withdraw(context, from, amount)?;
    let known = frame_system::ACCOUNT.find(context.state, &to).is_some();
    let before = frame_system::ACCOUNT.get(context.state, &to).data.free;
    let after = before.saturating_add(amount);
    if after < EXISTENTIAL_DEPOSIT {
        return Err(DispatchError::Token(TokenError::BelowMinimum));
    }
    frame_system::ACCOUNT.change(context.state, &to, |account| {
        account.data.free = after;
        account.providers = account.providers.max(1);
    });
    if !known {
        context.deposit(RuntimeEvent::System(frame_system::pallet::Event::NewAccount { account: to }));
        context.deposit(RuntimeEvent::Balances(Event::Endowed { account: to, free_balance: amount }));
    }
    context.deposit(RuntimeEvent::Balances(Event::Transfer { from, to, amount }));
    Ok(())
}

/// Takes rao from an account, which must keep the existential deposit.
pub(super) fn withdraw(context: &mut Context<'_, '_>, from: AccountId32, amount: u64) -> Outcome {
    let free = frame_system::ACCOUNT.get(context.state, &from).data.free;
    let left = free.checked_sub(amount).ok_or(DispatchError::Token(TokenError::FundsUnavailable))?;
    if amount > 0 && left < EXISTENTIAL_DEPOSIT {
        return Err(Error::Expendability.into());
    }
    frame_system::ACCOUNT.change(context.state, &from, |account| account.data.free = left);
    Ok(())
}
