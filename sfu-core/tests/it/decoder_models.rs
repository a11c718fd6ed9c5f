//! The simulation's own receivers, fed by its own sources with nothing between them but what each test does to the packets: what
//! is called undecodable, a freeze or a fault must be so, else no test that builds on them can fail.

mod wire;

use bytes::Bytes;
use rtc_rtp::header::Header;
use sfu_core::parameters::{HeaderExtensionUri, MediaKind};
use simulation::sink::playback::Why;
use simulation::source::payloads::{Media, numbers};
use simulation::source::video::{Audio, Video, VideoCodec};
use simulation::truth::Frame;
use simulation::{ms, s, vectors};

use wire::Fate::{Drop, Forward, Lose};
use wire::{Fate, Passing, SSRC, Wire};

fn all(_: &mut Passing<'_>) -> Fate {
    Forward
}

/// Whether it is a base layer frame that others depend on, and no key frame.
fn is_reference(frame: &Frame) -> bool {
    frame.layers.temporal == 0 && !frame.is_key
}

fn everything() -> Vec<(String, Video)> {
    let mut videos = Vec::new();
    for codec in VideoCodec::ALL {
        videos.push((format!("{codec:?}"), Video::single(codec)));
        videos.push((format!("{codec:?} screen"), Video::screen(codec)));
        videos.push((format!("{codec:?} simulcast"), Video::simulcast(codec, 3)));
    }
    for mode in ["L1T2", "L1T3", "L2T2", "L2T3_KEY", "L3T1", "L3T3", "L3T3_KEY"] {
        videos.push((format!("VP9 {mode}"), Video::svc(VideoCodec::Vp9, mode)));
        videos
            .push((format!("VP9 {mode}, flexible"), Video { is_flexible: true, ..Video::svc(VideoCodec::Vp9, mode) }));
        videos.push((format!("AV1 {mode}"), Video { left_out: 0.2, ..Video::svc(VideoCodec::Av1, mode) }));
    }
    videos
}

#[test]
fn what_nobody_touches_is_decoded_whole() {
    for (name, video) in everything() {
        let mut wire = Wire::new(&video);
        let top = video.encodings.len() as u8 - 1;
        for _ in 0..3 {
            wire.run(s(3), |packet| if packet.frame.encoding == top { Forward } else { Drop });
            wire.ask_for_key_frame();
        }
        wire.assert_flawless(&name);
        let expected = 9.0 / video.interval.as_secs_f64();
        let decoded = wire.playback().shown.len() as f64;
        assert!((decoded - expected).abs() < 3.0, "{name}: {decoded} pictures of {expected}");
        let size = *video.encodings.last().unwrap().sizes.last().unwrap();
        assert_eq!(wire.playback().largest(wire.now - s(9), wire.now), Some(size), "{name}");
        assert_eq!(wire.playback().shown.iter().filter(|shown| shown.is_key).count(), 3, "{name}");
    }
}

/// Harm prevented: a forwarder drops what others depend on, and no test sees it.
#[test]
fn a_reference_that_was_left_out_makes_all_that_follows_undecodable_until_a_key_frame() {
    for (name, video) in everything() {
        let mut wire = Wire::new(&video);
        let top = video.encodings.len() as u8 - 1;
        wire.run(s(2), |packet| if packet.frame.encoding == top { Forward } else { Drop });
        let (dropped_at, mut dropped) = (wire.now, None);
        wire.run(s(2), |packet| {
            if packet.frame.encoding != top {
                return Drop;
            }
            if is_reference(&packet.frame) {
                dropped.get_or_insert(packet.frame.picture);
            }
            if dropped == Some(packet.frame.picture) { Drop } else { Forward }
        });
        let bad = wire.playback().undecodable.clone();
        assert!(bad.len() >= 5, "{name}: {}", bad.len());
        assert!(bad.iter().all(|known| matches!(known.why, Why::Missing { .. })), "{name}: {bad:?}");
        assert_eq!(wire.playback().lost, 0, "{name}: nothing was lost");
        assert!(wire.playback().between(dropped_at + ms(1000), wire.now).is_empty(), "{name}");
        assert!(!wire.playback().freezes(wire.now).is_empty(), "{name}");
        wire.ask_for_key_frame();
        wire.run(ms(500), |packet| if packet.frame.encoding == top { Forward } else { Drop });
        let before = wire.playback().undecodable.len();
        wire.run(s(1), |packet| if packet.frame.encoding == top { Forward } else { Drop });
        assert_eq!(wire.playback().undecodable.len(), before, "{name}: after a key frame");
    }
}

#[test]
fn what_the_network_lost_is_not_blamed_on_the_forwarder() {
    let mut wire = Wire::new(&Video::single(VideoCodec::Vp8));
    wire.run(s(1), all);
    let mut lost = None;
    wire.run(s(4), |packet| {
        lost.get_or_insert(packet.frame.id);
        if lost == Some(packet.frame.id) { Lose } else { Forward }
    });
    assert!(wire.playback().undecodable.is_empty(), "{:?}", wire.playback().undecodable);
    assert!(wire.playback().lost > 50, "{}", wire.playback().lost);
    assert!(wire.sink.nacks_sent > 10 && !wire.sink.given_up.is_empty());
    assert!(!wire.asked.is_empty(), "what cannot be repaired needs a key frame");
    assert_eq!(wire.playback().freezes(wire.now).len(), 1);
}

#[test]
fn what_is_repaired_in_time_is_decoded_in_order() {
    for (name, video) in everything() {
        let mut wire = Wire::new(&video);
        let mut count = 0;
        for _ in 0..20 {
            wire.run(ms(100), |packet| {
                count += 1;
                if packet.frame.encoding > 0 {
                    Drop
                } else if count % 50 == 0 {
                    Lose
                } else {
                    Forward
                }
            });
            wire.repair();
        }
        wire.run(ms(500), |packet| if packet.frame.encoding == 0 { Forward } else { Drop });
        assert!(wire.playback().undecodable.is_empty(), "{name}: {:?}", wire.playback().undecodable);
        assert!(wire.sink.faults.is_empty(), "{name}: {:?}", wire.sink.faults);
        assert!(wire.playback().shown.is_sorted_by_key(|shown| shown.captured), "{name}");
    }
}

/// Frames that nothing depends on may be left out; VP8's picture ids must then be written anew.
#[test]
fn temporal_layers_can_be_left_out_and_vp8_tells_by_its_picture_ids() {
    let videos = [
        Video {
            encodings: Video::simulcast(VideoCodec::Vp8, 2).encodings[1..].to_vec(),
            ..Video::single(VideoCodec::Vp8)
        },
        Video::svc(VideoCodec::Vp9, "L1T3"),
        Video::svc(VideoCodec::Av1, "L3T3_KEY"),
    ];
    for video in videos {
        let mut wire = Wire::new(&Video { left_out: 0.0, ..video.clone() });
        wire.run(s(4), |packet| if packet.frame.layers.temporal < 2 { Forward } else { Drop });
        let playback = wire.playback();
        assert!(playback.undecodable.is_empty() && playback.number_faults.is_empty(), "{:?}", playback.number_faults);
        assert!((playback.frame_rate(wire.now - s(4), wire.now) - 15.0).abs() < 1.0);
        assert_eq!(playback.picture_id_holes > 50, video.codec == VideoCodec::Vp8, "{}", playback.picture_id_holes);
    }
}

/// Harm prevented: the consumer's last packet of a picture has no marker, and half the pictures are never shown.
#[test]
fn a_spatial_layer_can_be_left_out_if_the_marker_moves() {
    for codec in [VideoCodec::Vp9, VideoCodec::Av1] {
        for mode in ["L3T3", "L3T3_KEY"] {
            for mends in [true, false] {
                let mut wire = Wire::new(&Video { left_out: 0.0, ..Video::svc(codec, mode) });
                wire.run(s(3), |packet| {
                    if packet.frame.layers.spatial == 1 && packet.stamp.index + 1 == packet.stamp.count {
                        packet.header.marker = mends;
                    }
                    if packet.frame.layers.spatial < 2 { Forward } else { Drop }
                });
                if mends {
                    wire.assert_flawless(mode);
                    assert_eq!(wire.playback().largest(wire.now - s(3), wire.now), Some((640, 360)));
                } else {
                    assert!(wire.playback().shown.is_empty());
                    assert!(wire.playback().undecodable.iter().all(|known| known.why == Why::NoEnd));
                    assert!(wire.playback().undecodable.len() > 80, "{}", wire.playback().undecodable.len());
                }
            }
        }
    }
}

/// Harm prevented: an AV1 layer taken up in the middle stops the picture for good.
#[test]
fn an_upper_layer_taken_up_without_a_key_frame_is_undecodable() {
    let mut wire = Wire::new(&Video { left_out: 0.0, ..Video::svc(VideoCodec::Av1, "L3T3_KEY") });
    let lower = |packet: &mut Passing<'_>| {
        packet.header.marker |= packet.frame.layers.spatial == 1 && packet.stamp.index + 1 == packet.stamp.count;
        if packet.frame.layers.spatial < 2 { Forward } else { Drop }
    };
    wire.run(s(1), lower);
    let up = wire.now;
    wire.run(s(5), all);
    assert!(wire.playback().between(up + ms(100), wire.now).is_empty());
    assert!(wire.playback().undecodable.len() > 100);
    assert!(wire.asked[0] - up >= ms(2900), "a receiver asks after three seconds, not {:?}", wire.asked[0] - up);
    wire.ask_for_key_frame();
    wire.run(s(1), all);
    assert_eq!(wire.playback().shown.last().unwrap().size, (1280, 720));
}

#[test]
fn spatial_layers_of_av1_need_the_descriptor() {
    let mut wire = Wire::new(&Video::svc(VideoCodec::Av1, "L3T3"));
    let id = wire.sink.id(&HeaderExtensionUri::DependencyDescriptor).unwrap();
    wire.run(s(1), |packet| {
        packet.header.extensions.retain(|known| known.id != id);
        Forward
    });
    assert!(wire.playback().shown.is_empty());
    assert_eq!(wire.playback().undecodable[0].why, Why::NoDescriptor);
}

#[test]
fn a_decoder_that_gets_no_key_frame_asks_five_times_a_second() {
    let mut wire = Wire::new(&Video::single(VideoCodec::Vp8));
    wire.run(s(2), |packet| if packet.frame.is_key { Drop } else { Forward });
    assert!((8..=11).contains(&wire.asked.len()), "{}", wire.asked.len());
    assert!(wire.playback().shown.is_empty() && wire.playback().before_key_frame > 50);
}

#[test]
fn a_stop_is_one_freeze_and_a_slow_source_is_none() {
    let mut wire = Wire::new(&Video::single(VideoCodec::H264));
    wire.run(s(2), all);
    wire.source.stop();
    wire.run(ms(900), all);
    let now = wire.now;
    wire.source.start(now);
    wire.run(s(2), all);
    let freezes = wire.playback().freezes(wire.now);
    assert_eq!(freezes.len(), 1);
    assert!((ms(850)..ms(1000)).contains(&freezes[0].duration()), "{:?}", freezes[0].duration());
    let verdict = wire.sink.verdict(now - s(1), wire.now);
    assert_eq!((verdict.freezes, verdict.frozen), (1, freezes[0].duration()));
    assert_eq!(wire.sink.verdict(now + s(1), wire.now).freezes, 0, "long over");
}

/// Each of these a forwarder could do wrong.
#[test]
fn numbers_that_lead_astray_are_noticed() {
    type Spoil = fn(&mut Passing<'_>, u32);
    let vp8 = Video { encodings: Video::simulcast(VideoCodec::Vp8, 1).encodings, ..Video::single(VideoCodec::Vp8) };
    let vp9 = Video::svc(VideoCodec::Vp9, "L1T3");
    let cases: [(&str, &Video, Spoil); 3] = [
        ("TL0PICIDX", &vp8, |packet, count| {
            let (at, index) = numbers(Media::Vp8, packet.payload).base_index.unwrap();
            packet.payload[at] = index.wrapping_add(u8::from(count > 30));
        }),
        ("picture id", &vp8, |packet, count| {
            let (at, id) = numbers(Media::Vp8, packet.payload).picture_id.unwrap();
            let id = if count > 30 { id.wrapping_sub(40) } else { id } | 0x8000;
            packet.payload[at..at + 2].copy_from_slice(&id.to_be_bytes());
        }),
        ("picture id", &vp9, |packet, count| {
            let (at, id) = numbers(Media::Vp9, packet.payload).picture_id.unwrap();
            let id = if count > 30 { id.wrapping_add(1) } else { id } | 0x8000;
            packet.payload[at..at + 2].copy_from_slice(&id.to_be_bytes());
        }),
    ];
    for (name, video, spoil) in cases {
        let mut wire = Wire::new(video);
        wire.run(s(3), |packet| {
            spoil(packet, packet.frame.picture);
            Forward
        });
        let faults = &wire.playback().number_faults;
        assert!(faults.iter().any(|fault| fault.contains(name)), "{name}: {faults:?}");
    }
}

#[test]
fn frames_cut_short_and_times_that_go_back_are_faults() {
    let mut wire = Wire::new(&Video::single(VideoCodec::Vp8));
    wire.run(s(1), |packet| if packet.frame.picture == 10 && packet.stamp.index == 1 { Drop } else { Forward });
    assert!(wire.sink.faults.iter().any(|fault| fault.contains("of its")), "{:?}", wire.sink.faults);

    let mut wire = Wire::new(&Video::single(VideoCodec::Vp8));
    wire.run(s(1), |packet| {
        if packet.frame.picture >= 10 {
            packet.header.timestamp = packet.header.timestamp.wrapping_sub(90_000);
        }
        Forward
    });
    assert!(wire.sink.faults.iter().any(|fault| fault.contains("back in time")), "{:?}", wire.sink.faults);
}

#[test]
fn padding_and_repeats_change_nothing() {
    let mut wire = Wire::new(&Video::single(VideoCodec::Vp8));
    wire.sink.rtx_ssrc = Some(SSRC + 1);
    wire.run(s(1), all);
    let padding = Header { version: 2, payload_type: 97, ssrc: SSRC + 1, ..Header::default() };
    let mid = wire.sink.id(&HeaderExtensionUri::Mid).unwrap();
    let (number, known) = wire.sink.packets.last_key_value().map(|(number, known)| (*number, known.clone())).unwrap();
    let again = [&(number as u16).to_be_bytes()[..], &known.payload].concat();
    for payload in [Bytes::new(), again.into()] {
        let (timestamp, marker) = (known.timestamp, known.marker);
        let mut header = Header { timestamp, marker, ..padding.clone() };
        header.set_extension(mid, Bytes::from_static(b"m")).unwrap();
        wire.sink.handle(wire.now, &header, payload);
    }
    assert_eq!((wire.sink.paddings, wire.sink.duplicates), (1, 1));
    wire.run(s(1), all);
    wire.assert_flawless("padding");
}

/// Harm prevented: bandwidth is tested with rates that nobody sends.
#[test]
fn sources_send_at_the_rates_they_are_given() {
    for (name, video) in everything() {
        let mut wire = Wire::new(&video);
        let mut bytes = std::collections::BTreeMap::new();
        let (mut key_bytes, mut key_frames) = (0, std::collections::BTreeSet::new());
        wire.run(s(30), |packet| {
            *bytes.entry(packet.frame.place().spatial).or_insert(0) += packet.payload.len();
            if packet.frame.is_key {
                key_bytes += packet.payload.len();
                key_frames.insert(packet.frame.id);
            }
            Drop
        });
        let wanted = video.encodings.iter().flat_map(|encoding| &encoding.bitrates);
        for (spatial, wanted) in wanted.enumerate() {
            let got = bytes[&(spatial as u8)] as f64 * 8.0 / 30.0;
            // What is left out is not made up for.
            let least = if video.left_out > 0.0 && spatial > 0 { 0.7 } else { 0.9 };
            assert!((least..1.1).contains(&(got / *wanted as f64)), "{name}: {got} bit/s of {wanted}");
        }
        let mean = bytes.values().sum::<usize>() as f64 * video.interval.as_secs_f64() / 30.0;
        assert!(key_bytes as f64 > 2.5 * mean, "{name}: key picture of {key_bytes}, mean of {mean}");
        assert_eq!(key_frames.len(), video.encodings.iter().map(|encoding| encoding.sizes.len()).sum::<usize>());
    }
}

#[test]
fn a_layer_switched_on_again_begins_with_a_key_frame() {
    let mut wire = Wire::new(&Video::simulcast(VideoCodec::Vp8, 3));
    wire.run(s(1), all);
    for is_active in [false, true] {
        wire.source.set_active(2, is_active);
        let mut seen = Vec::new();
        wire.run(s(1), |packet| {
            if packet.frame.encoding == 2 {
                seen.push(packet.frame.is_key);
            }
            Drop
        });
        assert_eq!(seen.first().copied(), is_active.then_some(true));
        assert_eq!(wire.source.layers[2].key_frames, 1 + usize::from(is_active));
    }
    let mut wire = Wire::new(&Video::svc(VideoCodec::Vp9, "L3T3_KEY"));
    wire.run(s(1), all);
    wire.source.set_spatial_layers(0, 1);
    wire.run(s(1), all);
    assert_eq!(wire.playback().shown.last().unwrap().size, (320, 180));
    wire.source.set_spatial_layers(0, 3);
    wire.run(s(1), all);
    assert_eq!(wire.playback().spatial_changes().iter().map(|(_, spatial)| *spatial).collect::<Vec<_>>(), [2, 0, 2]);
    wire.assert_flawless("SVC");
}

/// Harm prevented: what unwraps RED for those who have not negotiated it is tested with something else.
#[test]
fn red_carries_each_sound_twice_and_is_unwrapped_to_the_newer() {
    let parameters = vectors::audio_parameters(Audio { is_red: true, ..Audio::default() });
    let mut wire = Wire::of(MediaKind::Audio, parameters);
    let (mut before, mut lens) = (Vec::new(), Vec::new());
    wire.run(s(2), |packet| {
        assert_eq!((packet.header.payload_type, packet.payload.len() > 90), (63, true));
        if !lens.is_empty() {
            let redundant = u16::from_be_bytes([packet.payload[2], packet.payload[3]]) & 0x3ff;
            assert_eq!(packet.payload[5..5 + usize::from(redundant)], before, "the sound before");
            assert_eq!(packet.payload[0] & 0x7f, packet.payload[4], "both are Opus");
        }
        lens.push(packet.payload.len());
        before = packet.payload[packet.payload.len() - 90..].to_vec();
        Forward
    });
    assert_eq!(lens.len(), 100);
    assert!(lens[1..].iter().all(|len| *len == 185), "two of 90 and five bytes of headers: {lens:?}");
    assert!(wire.sink.faults.is_empty(), "{:?}", wire.sink.faults);
    for (got, published) in wire.sink.packets.values().zip(&wire.source.layers[0].sent) {
        assert_eq!(got.payload, published.payload[published.own_from..]);
        assert_eq!((got.payload.len(), published.level), (90, Some(0x80 | 30)));
    }
}
