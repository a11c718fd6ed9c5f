//! The body of the fuzz target.

use super::RedHeader;
use crate::ids::PayloadType;

/// `data` is a RED payload: its primary block is its end, and giving blocks another payload type changes nothing else.
pub fn fuzz_red(data: &[u8]) {
    let Ok(header) = RedHeader::parse(data) else { return };
    assert!(header.primary_payload_type.0 < 128);
    assert!(header.primary(data).len() < data.len() && data.ends_with(header.primary(data)));

    let to = PayloadType(header.primary_payload_type.0 ^ 1);
    let mut copy = data.to_vec();
    header.write_payload_type(&mut copy, header.primary_payload_type, to);
    let renamed = RedHeader::parse(&copy).expect("only payload types were changed");
    assert_eq!(renamed, RedHeader { primary_payload_type: to, ..header });
    assert_eq!(renamed.primary(&copy), header.primary(data));
}
