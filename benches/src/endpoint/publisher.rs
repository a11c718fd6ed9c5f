//! A camera and a microphone on their way to the server.

use std::time::{Duration, Instant};

use super::rtcp::{self, Heard};
use super::wire::Wire;
use crate::signalling::parameters::MediaKind;
use crate::source::{AudioSource, OutgoingStream, VideoSource};
use crate::stats::Recorder;

/// From one sender report to the next (libwebrtc's for video).
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// What a transport to the server sends.
#[derive(Debug)]
pub struct Publisher {
    video: Option<VideoSource>,
    audio: Option<AudioSource>,
    /// Whether media is sent now.
    is_active: bool,
    wide: u16,
    report_at: Instant,
    buffer: Vec<u8>,
}

impl Publisher {
    /// Sends what there is, if it is active.
    pub fn new(now: Instant, video: Option<VideoSource>, audio: Option<AudioSource>, is_active: bool) -> Self {
        Self { video, audio, is_active, wide: 0, report_at: now + REPORT_INTERVAL, buffer: Vec::with_capacity(2048) }
    }

    /// Begins or stops sending.
    pub fn set_active(&mut self, is_active: bool) {
        if is_active
            && !self.is_active
            && let Some(video) = &mut self.video
        {
            video.want_key_frames();
        }
        self.is_active = is_active;
    }

    /// Packets sent of a kind, without repeats.
    pub fn published(&mut self, kind: MediaKind) -> u64 {
        let packets = |stream: &mut OutgoingStream| u64::from(stream.packets());
        match kind {
            MediaKind::Audio => self.audio.as_mut().map_or(0, |audio| packets(audio.stream())),
            MediaKind::Video => self.video.as_mut().map_or(0, |video| video.streams().map(packets).sum()),
        }
    }

    /// Frames that were left out for want of CPU.
    pub fn left_out(&self) -> u64 {
        self.video.as_ref().map_or(0, VideoSource::left_out)
    }

    /// Takes what the server says: requests are served at once.
    pub fn handle_rtcp(&mut self, compound: &[u8], wire: &mut Wire, recorder: &mut Recorder) {
        let Self { video, wide, buffer, is_active, .. } = self;
        let Some(video) = video.as_mut().filter(|_| *is_active) else { return };
        rtcp::read(compound, |heard| match heard {
            Heard::KeyFrame { ssrc } => recorder.totals.key_frames_asked += u64::from(video.want_key_frame(ssrc)),
            Heard::Nack { ssrc, sequence_number } => {
                let stream = video.streams().find(|stream| stream.ssrc() == ssrc);
                if let Some(repeat) = stream.and_then(|stream| stream.repeat(buffer, wide, sequence_number)) {
                    recorder.totals.repeats_out += 1;
                    wire.send_rtp(repeat, recorder);
                }
            }
            Heard::SenderReport { .. } => {}
        });
    }

    /// Sends what is due.
    pub fn handle_timeout(&mut self, now: Instant, wire: &mut Wire, recorder: &mut Recorder) {
        let Self { video, audio, wide, buffer, is_active, .. } = self;
        if let Some(audio) = audio {
            audio.poll(now, *is_active, wide, buffer, |packet| {
                recorder.published[MediaKind::Audio as usize] += 1;
                wire.send_rtp(packet, recorder);
            });
        }
        if let Some(video) = video {
            video.poll(now, *is_active, wide, buffer, |packet| {
                recorder.published[MediaKind::Video as usize] += 1;
                wire.send_rtp(packet, recorder);
            });
        }
        if self.report_at <= now {
            self.report_at = now + REPORT_INTERVAL;
            let audio = self.audio.iter_mut().map(AudioSource::stream);
            let streams = self.video.iter_mut().flat_map(VideoSource::streams).chain(audio);
            for stream in streams {
                if stream.write_report(&mut self.buffer) {
                    wire.send_rtcp(&mut self.buffer, recorder);
                }
            }
        }
    }

    /// When something is due.
    pub fn poll_timeout(&self) -> Instant {
        let video = self.video.as_ref().map(VideoSource::poll_timeout);
        let audio = self.audio.as_ref().map(AudioSource::poll_timeout);
        video.into_iter().chain(audio).fold(self.report_at, Instant::min)
    }
}
