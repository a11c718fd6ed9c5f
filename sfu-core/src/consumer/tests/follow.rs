//! Packets that are not looked at anew, for the one before them was.

use rand::Rng;

use super::*;

/// A picture's packets as they come, the numbers going on from `next`: some lost, some late, padding among them.
fn batch(rng: &mut StdRng, encoding: usize, next: &mut u64, picture: u16) -> Vec<Candidate<'static>> {
    let temporal = [0, 2, 1, 2][usize::from(picture % 4)];
    let numbers = PictureNumbers {
        picture_id: picture,
        is_long: true,
        picture_id_at: 2,
        tl0_picture_index: Some(((picture / 4) as u8, 4)),
    };
    let count = rng.random_range(1..8);
    let mut packets: Vec<Candidate<'static>> = (0..count)
        .map(|index| Candidate {
            timestamp: u32::from(picture) * 3000,
            marker: index + 1 == count,
            frame: FrameInfo {
                key_frame: index == 0 && picture.is_multiple_of(32),
                starts_frame: index == 0,
                layers: Layers { spatial: 0, temporal },
                temporal_switch: temporal < 2,
                numbers: Some(numbers),
                ..FrameInfo::NONE
            },
            is_empty: rng.random_ratio(1, 30),
            extended: *next + index,
            ..packet(encoding, 0, false)
        })
        .collect();
    *next += count;
    packets.retain(|_| !rng.random_ratio(1, 20));
    if packets.len() > 1 && rng.random_ratio(1, 5) {
        let (a, b) = (rng.random_range(0..packets.len()), rng.random_range(0..packets.len()));
        packets.swap(a, b);
    }
    packets
}

/// Harm prevented: what makes most packets cheap sends another packet, or numbers it otherwise, than looking at each would.
#[test]
fn a_packet_that_follows_becomes_what_it_would_become_if_it_were_looked_at_anew() {
    let simulcast = Layering::Simulcast { encodings: 2, temporal_layers: 3 };
    let svc = Layering::Svc { spatial_layers: 1, temporal_layers: 3, up_switch: UpSwitch::KeyFrame };
    for (seed, layering) in [(1, Layering::Plain), (2, simulcast), (3, svc), (4, simulcast)] {
        let mut rng = StdRng::seed_from_u64(seed);
        let (mut plain, mut following) =
            (consumer_of(MediaKind::Video, layering), consumer_of(MediaKind::Video, layering));
        let (mut next, mut followed, mut sent) = ([0, 40_000], 0, 0);
        for picture in 0..1_000 {
            let now = origin() + ms(33 * u64::from(picture));
            let target = rng
                .random_ratio(1, 20)
                .then(|| Layers { spatial: rng.random_range(0..2), temporal: rng.random_range(0..3) });
            for consumer in [&mut plain, &mut following] {
                if target.is_some() {
                    consumer.selector.set_target(target);
                }
            }
            // Both encodings of a simulcast come in one turn.
            let encodings = if layering == simulcast { 2 } else { 1 };
            let packets: Vec<Candidate<'_>> =
                (0..encodings).flat_map(|encoding| batch(&mut rng, encoding, &mut next[encoding], picture)).collect();
            let mut last: Option<(Admission, &Candidate<'_>)> = None;
            for packet in &packets {
                let expected = plain.admit(now, packet);
                let admission = last
                    .filter(|(_, before)| packet.goes_on_from(before))
                    .and_then(|(last, _)| following.follow(&last, packet));
                followed += u32::from(admission.is_some());
                let verdict = admission.map_or_else(|| following.admit(now, packet), Verdict::Send);
                assert_eq!(verdict, expected, "{layering:?}, picture {picture}, packet {}", packet.extended);
                last = verdict.sent().map(|admission| (admission, packet));
                sent += u32::from(last.is_some());
            }
        }
        assert!(sent > 1_000, "{layering:?}: {sent}");
        assert_eq!(followed > sent / 3, layering != svc, "{layering:?}: {followed} of {sent}");
    }
}
