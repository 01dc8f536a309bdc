#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(unused_qualifications, reason = "of the derivation of `Encode`, which is told where the codec is")]

use scale_info::TypeInfo;
use subxt::ext::codec::{self, Encode};
use subxt::ext::scale_decode::visitor::{IgnoreVisitor, decode_with_visitor};

use super::*;
use crate::runtime::Runtime;

/// A registry of one type and what it is made of, and the type's number.
fn registry<T: TypeInfo + 'static>() -> (PortableRegistry, u32) {
    let mut registry = scale_info::Registry::new();
    let id = registry.register_type(&scale_info::MetaType::new::<T>()).id;
    (registry.into(), id)
}

fn check<T: TypeInfo + Encode + 'static>(value: &T) {
    let (types, id) = registry::<T>();
    check_types(&types).unwrap();
    let bytes = value.encode();
    let with_more = [bytes.as_slice(), &[7, 7]].concat();
    let rest = &mut with_more.as_slice();
    survey(&types, id, rest).unwrap();
    assert_eq!(*rest, [7, 7], "{:?}", hex::encode(&bytes));
    for cut in 0..bytes.len() {
        assert!(survey(&types, id, &mut &bytes[..cut]).is_err(), "{cut} of {}", hex::encode(&bytes));
    }
    // As the library skips it.
    let skipped = &mut with_more.as_slice();
    decode_with_visitor(skipped, id, &types, IgnoreVisitor::<PortableRegistry>::new()).unwrap();
    assert_eq!(*skipped, [7, 7]);
}

#[derive(Encode, TypeInfo)]
#[codec(crate = codec)]
enum Choice {
    #[codec(index = 3)]
    Nothing,
    #[codec(index = 9)]
    Two { first: Option<u16>, second: (String, bool) },
}

#[test]
fn every_kind_of_value_is_gone_through() {
    check(&(1u8, -2i16, 3u32, 4u64, 5u128, true));
    check(&vec![vec![1u16, 2], vec![], vec![3; 100]]);
    check(&(vec!["first".to_owned(), String::new()], [Some(7u64), None, Some(8)]));
    check(&vec![Choice::Nothing, Choice::Two { first: Some(1), second: ("words".to_owned(), true) }]);
    for number in [0u64, 63, 64, 1 << 14, 1 << 30, u64::MAX] {
        check(&Compact(number));
    }
    check(&Compact(u128::MAX));
    check(&vec![(); 1000]);
}

/// A value that holds itself, as calls do.
#[derive(TypeInfo)]
#[allow(dead_code, reason = "only its type is asked for")]
enum Nested {
    #[codec(index = 0)]
    More(Vec<Nested>),
    #[codec(index = 1)]
    End,
}

#[test]
fn what_is_nested_too_deep_is_refused() {
    let (types, id) = registry::<Nested>();
    check_types(&types).unwrap();
    let nested = |levels: usize| [[0u8, 4].repeat(levels), vec![1]].concat();
    // Two levels each, and the last one's own.
    for (levels, is_taken) in [(1, true), (31, true), (32, false), (1_000_000, false)] {
        let found = survey(&types, id, &mut nested(levels).as_slice());
        assert_eq!(found.is_ok(), is_taken, "{levels}: {found:?}");
        assert!(is_taken || found.unwrap_err().contains("nested more than 64 levels deep"));
    }
}

#[test]
fn values_without_bytes_are_not_counted_for_ever() {
    let (types, id) = registry::<Vec<()>>();
    let bytes = Compact(u32::MAX).encode();
    let found = survey(&types, id, &mut bytes.as_slice());
    assert_eq!(found.unwrap_err(), "it has more parts than its bytes are worth");
}

/// Types in the form in which a node gives them, so that they can be what no program has.
fn hostile(definitions: &[TypeDef<PortableForm>]) -> PortableRegistry {
    let ty = |definition: &TypeDef<PortableForm>| {
        scale_info::Type::new(scale_info::Path::default(), Vec::new(), definition.clone(), Vec::new())
    };
    let types = definitions.iter().zip(0u32..);
    PortableRegistry { types: types.map(|(found, id)| scale_info::PortableType { id, ty: ty(found) }).collect() }
}

fn holding(inner: u32) -> TypeDef<PortableForm> {
    TypeDef::Array(scale_info::TypeDefArray::new(1, inner.into()))
}

#[test]
fn types_that_never_end_are_refused() {
    let number = || TypeDef::Primitive(TypeDefPrimitive::U8);
    let chain = |length: u32| (1..length).map(holding).chain([number()]).collect::<Vec<_>>();
    for (what, definitions, is_taken) in [
        ("one within another", vec![holding(1), number()], true),
        ("as many as are taken", chain(64), true),
        ("too many", chain(65), false),
        ("itself", vec![holding(0)], false),
        ("two in each other", vec![holding(1), holding(0), number()], false),
        ("what is not there", vec![holding(1)], false),
        ("itself, with a length between", vec![TypeDef::Sequence(scale_info::TypeDefSequence::new(0.into()))], true),
    ] {
        let found = check_types(&hostile(&definitions));
        assert_eq!(found.is_ok(), is_taken, "{what}: {found:?}");
    }
    // A list of lists is as deep as its bytes say.
    let lists = hostile(&[TypeDef::Sequence(scale_info::TypeDefSequence::new(0.into()))]);
    assert!(survey(&lists, 0, &mut [4, 4, 4, 0].as_slice()).is_ok());
    assert!(survey(&lists, 0, &mut vec![4; 1 << 20].as_slice()).is_err());
}

/// `Utility.batch` within `Utility.batch`: three bytes a level.
fn bomb(levels: usize) -> Vec<u8> {
    // Pallet 11, call 0, one call.
    let end = [0, 0, 0];
    [[11, 0, 4].repeat(levels), end.to_vec()].concat()
}

#[test]
fn calls_within_calls_are_read_to_a_depth() {
    let runtime = Runtime::decode(393, 1, localnet::metadata(16).unwrap()).unwrap();
    let signing = crate::Signing {
        nonce: 0,
        era: None,
        birth_hash: domain::types::HexBytes([0; 32]),
        genesis_hash: domain::types::HexBytes([0; 32]),
        tip: 0,
    };
    let shallow = bomb(20);
    assert_eq!(runtime.decode_call(&shallow).unwrap(), None, "a batch is no call of ours");
    let (extrinsic, _) = runtime.assemble_bytes(&shallow, &signing, [1; 32], [2; 64]).unwrap();
    assert_eq!(runtime.read_extrinsic(&extrinsic.bytes).unwrap().call, shallow);
    for levels in [21, 1_000_000] {
        let deep = bomb(levels);
        let refused = |found: Option<Error>| {
            let said = found.expect("a refusal").to_string();
            assert!(said.contains("nested more than 64 levels deep"), "{levels}: {said}");
        };
        refused(runtime.decode_call(&deep).err());
        refused(runtime.assemble_bytes(&deep, &signing, [1; 32], [2; 64]).err());
        // The same extrinsic with the other call in it.
        let head = extrinsic.bytes.len() - shallow.len();
        let body = [&extrinsic.bytes[2..head], &deep].concat();
        let length = Compact(u32::try_from(body.len()).unwrap()).encode();
        refused(runtime.read_extrinsic(&[length, body].concat()).err());
    }
}
