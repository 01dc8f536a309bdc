//! Balances in rao.

use crate::item::storage;

storage! { "Balances":
    /// All rao of this chain.
    TOTAL_ISSUANCE "TotalIssuance": [] () => u64;
}

pub mod types {
    use codec::{Decode, Encode};
    use scale_info::TypeInfo;

    #[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub struct AccountData<Balance> {
        pub free: Balance,
        pub reserved: Balance,
        pub frozen: Balance,
        pub flags: ExtraFlags,
    }

    #[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub struct ExtraFlags(pub u128);

    impl Default for ExtraFlags {
        /// The highest bit says that the account is of the present form.
        fn default() -> Self {
            Self(1 << 127)
        }
    }
}

pub mod pallet {
    use codec::{Decode, Encode};
    use scale_info::TypeInfo;

    use crate::runtime::sp_core::crypto::AccountId32;
    use crate::runtime::sp_runtime::multiaddress::MultiAddress;

    #[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, TypeInfo)]
    #[allow(non_camel_case_types, reason = "as the chain writes them")]
    pub enum Call {
        #[codec(index = 0)]
        transfer_allow_death {
            dest: MultiAddress<AccountId32, ()>,
            #[codec(compact)]
            value: u64,
        },
        #[codec(index = 3)]
        transfer_keep_alive {
            dest: MultiAddress<AccountId32, ()>,
            #[codec(compact)]
            value: u64,
        },
    }

    #[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub enum Event {
        #[codec(index = 0)]
        Endowed { account: AccountId32, free_balance: u64 },
        #[codec(index = 2)]
        Transfer { from: AccountId32, to: AccountId32, amount: u64 },
        #[codec(index = 3)]
        BalanceSet { who: AccountId32, free: u64 },
        #[codec(index = 8)]
        Withdraw { who: AccountId32, amount: u64 },
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub enum Error {
        VestingBalance,
        LiquidityRestrictions,
        InsufficientBalance,
        ExistentialDeposit,
        Expendability,
        ExistingVestingSchedule,
        DeadAccount,
        TooManyReserves,
        TooManyHolds,
        TooManyFreezes,
        IssuanceDeactivated,
        DeltaZero,
    }
}
