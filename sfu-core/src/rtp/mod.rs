//! RTP: a zero-copy view of a packet, header extensions, codec payloads.
