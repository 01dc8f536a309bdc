//! The extrinsic as the runtime knows it: Substrate's in a wrapper that lets Ethereum's in. This chain has none of those.

pub mod unchecked_extrinsic {
    use scale_info::{Path, Type, TypeInfo, TypeParameter, build::Fields, meta_type};

    use crate::runtime::sp_runtime::generic::unchecked_extrinsic::UncheckedExtrinsic as Inner;

    /// Only for the metadata.
    #[derive(Debug)]
    pub struct UncheckedExtrinsic<Address, Call, Signature, Extension>(pub Inner<Address, Call, Signature, Extension>);

    impl<A, C, S, E> TypeInfo for UncheckedExtrinsic<A, C, S, E>
    where
        A: TypeInfo + 'static,
        C: TypeInfo + 'static,
        S: TypeInfo + 'static,
        E: TypeInfo + 'static,
    {
        type Identity = Self;

        fn type_info() -> Type {
            Type::builder()
                .path(Path::new("UncheckedExtrinsic", module_path!()))
                .type_params(vec![
                    TypeParameter::new("Address", Some(meta_type::<A>())),
                    TypeParameter::new("Call", Some(meta_type::<C>())),
                    TypeParameter::new("Signature", Some(meta_type::<S>())),
                    TypeParameter::new("Extension", Some(meta_type::<E>())),
                ])
                .composite(Fields::unnamed().field(|field| field.ty::<Inner<A, C, S, E>>()))
        }
    }
}
