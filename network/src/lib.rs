//! Keys, signatures and addresses of the wire
