//! How a call is classed.

pub mod dispatch {
    use codec::{Decode, Encode};
    use scale_info::TypeInfo;

    #[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub enum DispatchClass {
        Normal,
        Operational,
        Mandatory,
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub enum Pays {
        Yes,
        No,
    }

    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
    pub struct PerDispatchClass<T> {
        pub normal: T,
        pub operational: T,
        pub mandatory: T,
    }
}
