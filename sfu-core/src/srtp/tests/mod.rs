//! Tests of sealing and opening together.

mod cross_check;
mod hostile;
mod streams;
mod vectors;

use super::*;
use crate::ids::Ssrc;

/// The bytes that `text` spells in hexadecimal; white space between them is skipped.
pub(in crate::srtp) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_digit(16).unwrap() as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

const SSRC: u32 = 0x1234_5678;
const HEADER_LEN: usize = 12;

/// A master key and salt of `profile`.
fn master(profile: ProtectionProfile) -> (Vec<u8>, Vec<u8>) {
    ((0..profile.key_len() as u8).collect(), (100..100 + profile.salt_len() as u8).collect())
}

/// Both ends of one direction.
fn contexts(profile: ProtectionProfile) -> (SealContext, OpenContext) {
    let (key, salt) = master(profile);
    (SealContext::new(profile, &key, &salt).unwrap(), OpenContext::new(profile, &key, &salt).unwrap())
}

/// An RTP packet without extensions.
fn rtp_packet(ssrc: u32, sequence_number: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend(sequence_number.to_be_bytes());
    packet.extend([0, 0, 3, 4]);
    packet.extend(ssrc.to_be_bytes());
    packet.extend(payload);
    packet
}

/// An RTCP receiver report with one block.
fn rtcp_packet(ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x81, 201, 0, 7];
    packet.extend(ssrc.to_be_bytes());
    packet.extend(0..24);
    packet
}

fn seal(context: &SealContext, stream: &mut SealStream, packet: &[u8]) -> Result<Vec<u8>, SealError> {
    let mut buf = packet.to_vec();
    buf.resize(packet.len() + MAX_RTP_OVERHEAD, 0);
    let len = context.seal_rtp(stream, &mut buf, HEADER_LEN, packet.len())?;
    buf.truncate(len);
    Ok(buf)
}

fn repeat(context: &SealContext, stream: &SealStream, packet: &[u8]) -> Result<Vec<u8>, SealError> {
    let mut buf = packet.to_vec();
    buf.resize(packet.len() + MAX_RTP_OVERHEAD, 0);
    let len = context.repeat_rtp(stream, &mut buf, HEADER_LEN, packet.len())?;
    buf.truncate(len);
    Ok(buf)
}

fn open(context: &OpenContext, stream: &mut OpenStream, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
    let mut packet = sealed.to_vec();
    let len = context.open_rtp(stream, &mut packet, HEADER_LEN)?;
    packet.truncate(len);
    Ok(packet)
}

fn seal_rtcp(context: &mut SealContext, packet: &[u8]) -> Result<Vec<u8>, SealError> {
    let mut buf = packet.to_vec();
    buf.resize(packet.len() + MAX_RTCP_OVERHEAD, 0);
    let len = context.seal_rtcp(&mut buf, packet.len())?;
    buf.truncate(len);
    Ok(buf)
}

fn open_rtcp(context: &OpenContext, streams: &mut OpenRtcpStreams, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
    let mut packet = sealed.to_vec();
    let len = context.open_rtcp(streams, &mut packet)?;
    packet.truncate(len);
    Ok(packet)
}
