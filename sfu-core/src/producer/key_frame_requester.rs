//! Asking a sender for a key frame: once for everybody who wants one, not too often, and again if it is not answered.

use std::time::{Duration, Instant};

/// The least time between two requests for one stream, retries included. A key frame costs several times an ordinary
/// frame: one subscriber that cannot decode must not make everybody's picture worse.
pub const MIN_REQUEST_INTERVAL: Duration = Duration::from_secs(1);

/// The least time between two requests when the second is for somebody who starts or changes layers: a viewer waits for it,
/// and it happens once for each. What a browser's encoder gives at most.
pub const MIN_START_INTERVAL: Duration = Duration::from_millis(300);

/// So much earlier than one in [`MIN_REQUEST_INTERVAL`] may requests for starts come in a row: three or four at
/// [`MIN_START_INTERVAL`], and then one a second. A crowd that joins must not make everybody's picture worse.
const START_BURST: Duration = Duration::from_secs(2);

/// How often an unanswered request is repeated, at [`MIN_REQUEST_INTERVAL`]: the request or its key frame may be lost
/// several times on a bad path. After that the sender is taken for unable to answer, until somebody asks again.
pub const MAX_RETRIES: u8 = 5;

/// How long a sender that did not answer is left alone while somebody goes on waiting: it may have been out of reach, and
/// without asking again the viewer would see nothing for the rest of the call.
pub const GIVEN_UP_INTERVAL: Duration = Duration::from_secs(5);

/// Why a key frame is needed; later ones are more urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyFrameReason {
    /// Somebody waits still.
    Waits,
    /// Somebody cannot decode.
    CannotDecode,
    /// Somebody starts, resumes or changes layers.
    Starts,
}

/// A request to send now, as PLI or FIR by what was negotiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyFrameRequest {
    /// FIR's command sequence number: a retry repeats it, a new request increments it (RFC 5104 section 4.3.1.1).
    pub fir_sequence: u8,
}

/// The key frame requests of one received stream.
#[derive(Debug, Clone, Default)]
pub struct KeyFrameRequester {
    state: State,
    last_sent_at: Option<Instant>,
    /// When all requests so far would have been sent at one in [`MIN_REQUEST_INTERVAL`].
    paid_until: Option<Instant>,
    /// FIR's number of the current request, once there was one.
    fir_sequence: Option<u8>,
}

#[derive(Debug, Clone, Copy, Default)]
enum State {
    /// Nobody waits for a key frame.
    #[default]
    Idle,
    /// A new request is to be sent at `due_at`.
    Wanted { due_at: Instant },
    /// A request is out, unanswered; at `due_at` it is repeated or given up.
    Outstanding { due_at: Instant, retries: u8 },
}

impl KeyFrameRequester {
    /// A key frame is needed.
    pub fn ask(&mut self, now: Instant, reason: KeyFrameReason) {
        match reason {
            KeyFrameReason::Waits => self.request_still(now),
            KeyFrameReason::CannotDecode => self.request(now),
            KeyFrameReason::Starts => self.request_start(now),
        }
    }

    /// Somebody cannot decode. The first request is sent at once; one that comes while another is outstanding is
    /// served by the same key frame; one that comes too early is remembered until it may be sent.
    pub fn request(&mut self, now: Instant) {
        self.request_at(self.last_sent_at.map_or(now, |sent_at| sent_at + MIN_REQUEST_INTERVAL));
    }

    /// Somebody starts, resumes or changes layers. As [`Self::request`], but sooner after the last one.
    pub fn request_start(&mut self, now: Instant) {
        let spaced = self.last_sent_at.map_or(now, |sent_at| sent_at + MIN_START_INTERVAL);
        let paid = self.paid_until.and_then(|at| at.checked_sub(START_BURST));
        self.request_at(paid.map_or(spaced, |paid| paid.max(spaced)));
    }

    /// Somebody waits still. Asks again if the sender was given up a while ago.
    pub fn request_still(&mut self, now: Instant) {
        let is_rested = self.last_sent_at.is_none_or(|sent_at| now >= sent_at + GIVEN_UP_INTERVAL);
        if is_rested && matches!(self.state, State::Idle) {
            self.state = State::Wanted { due_at: now };
        }
    }

    fn request_at(&mut self, due_at: Instant) {
        match &mut self.state {
            State::Idle => self.state = State::Wanted { due_at },
            State::Wanted { due_at: earlier } => *earlier = due_at.min(*earlier),
            State::Outstanding { .. } => {}
        }
    }

    /// The first packet of a key frame came: everybody who waits is served.
    pub fn handle_key_frame(&mut self) {
        self.state = State::Idle;
    }

    /// The request to send at `now`, if one is due. Call after [`request`](Self::request) and on timeout.
    pub fn poll_request(&mut self, now: Instant) -> Option<KeyFrameRequest> {
        if self.poll_timeout()? > now {
            return None;
        }
        let retries = match self.state {
            State::Idle => return None,
            State::Wanted { .. } => {
                self.fir_sequence = Some(self.fir_sequence.map_or(0, |sequence| sequence.wrapping_add(1)));
                0
            }
            State::Outstanding { retries: MAX_RETRIES, .. } => {
                self.state = State::Idle;
                return None;
            }
            State::Outstanding { retries, .. } => retries + 1,
        };
        self.state = State::Outstanding { due_at: now + MIN_REQUEST_INTERVAL, retries };
        self.last_sent_at = Some(now);
        self.paid_until = Some(self.paid_until.map_or(now, |at| at.max(now)) + MIN_REQUEST_INTERVAL);
        Some(KeyFrameRequest { fir_sequence: self.fir_sequence.unwrap_or_default() })
    }

    /// When [`poll_request`](Self::poll_request) is to be called again; may be past.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Idle => None,
            State::Wanted { due_at } | State::Outstanding { due_at, .. } => Some(due_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::origin;

    /// Steps of 10 ms over `length`; the times at which a request went out, in ms. `events` act at their time.
    fn run(length_ms: u64, events: &[(u64, Event)]) -> Vec<(u64, u8)> {
        let start = origin();
        let mut requester = KeyFrameRequester::default();
        let mut sent = Vec::new();
        for ms in (0..length_ms).step_by(10) {
            for (_, event) in events.iter().filter(|(at, _)| *at == ms) {
                match event {
                    Event::Request => requester.request(start + Duration::from_millis(ms)),
                    Event::Start => requester.request_start(start + Duration::from_millis(ms)),
                    Event::Still => requester.request_still(start + Duration::from_millis(ms)),
                    Event::KeyFrame => requester.handle_key_frame(),
                }
            }
            let now = start + Duration::from_millis(ms);
            if let Some(request) = requester.poll_request(now) {
                sent.push((ms, request.fir_sequence));
            }
        }
        sent
    }

    #[derive(Clone, Copy)]
    enum Event {
        Request,
        Start,
        Still,
        KeyFrame,
    }
    use Event::{KeyFrame, Request, Start, Still};

    #[test]
    fn requests_go_out_when_they_should() {
        type Case = (&'static str, &'static [(u64, Event)], &'static [(u64, u8)]);
        let cases: &[Case] = &[
            ("the first at once", &[(0, Request), (100, KeyFrame)], &[(0, 0)]),
            ("one for many", &[(0, Request), (10, Request), (50, Request), (100, KeyFrame)], &[(0, 0)]),
            ("nothing unasked", &[(100, KeyFrame)], &[]),
            (
                "an early one is remembered",
                &[(0, Request), (100, KeyFrame), (200, Request), (1100, KeyFrame)],
                &[(0, 0), (1000, 1)],
            ),
            (
                "who starts waits less",
                &[(0, Request), (100, KeyFrame), (200, Start), (400, KeyFrame)],
                &[(0, 0), (300, 1)],
            ),
            (
                "who starts takes a waiting one along",
                &[(0, Request), (100, KeyFrame), (150, Request), (500, Start), (600, KeyFrame)],
                &[(0, 0), (500, 1)],
            ),
            (
                "a remembered one is served by any key frame",
                &[(0, Request), (100, KeyFrame), (200, Request), (900, KeyFrame)],
                &[(0, 0)],
            ),
            (
                "a late one is not held back",
                &[(0, Request), (100, KeyFrame), (1500, Request), (1600, KeyFrame)],
                &[(0, 0), (1500, 1)],
            ),
            ("retried until answered", &[(0, Request), (2100, KeyFrame)], &[(0, 0), (1000, 0), (2000, 0)]),
        ];
        for (name, events, expected) in cases {
            assert_eq!(&run(9_000, events), expected, "{name}");
        }
    }

    #[test]
    fn an_unanswered_request_is_given_up_and_may_be_made_again() {
        let sent = run(20_000, &[(0, Request), (10_000, Request), (10_100, KeyFrame)]);
        let times: Vec<u64> = sent.iter().map(|(ms, _)| *ms).collect();
        assert_eq!(times, [0, 1000, 2000, 3000, 4000, 5000, 10_000]);
        assert_eq!(sent.last().map(|(_, fir)| *fir), Some(1), "a new request needs a new FIR number to be obeyed");
    }

    /// Harm prevented: whoever waited through an outage waits for ever; or a sender that cannot answer is asked without a pause.
    #[test]
    fn a_sender_that_was_given_up_is_asked_again_after_a_while_if_somebody_waits_still() {
        let waits = (0..12_000).step_by(100).map(|ms| (ms, Still));
        let events: Vec<_> = [(0, Request)].into_iter().chain(waits).chain([(12_050, KeyFrame)]).collect();
        let times: Vec<u64> = run(30_000, &events).iter().map(|(ms, _)| *ms).collect();
        assert_eq!(times, [0, 1000, 2000, 3000, 4000, 5000, 10_000, 11_000, 12_000]);
    }

    #[test]
    fn asking_again_does_not_make_a_retry_a_new_request() {
        let events = [(0, Request), (500, Request), (1500, Request), (2500, KeyFrame)];
        assert_eq!(run(9000, &events), [(0, 0), (1000, 0), (2000, 0)], "a sender answers each new FIR number");
    }

    #[test]
    fn a_crowd_gets_at_most_one_request_a_second() {
        let crowd: Vec<(u64, Event)> =
            (0..6000).step_by(10).flat_map(|ms| [(ms, Request), (ms + 300, KeyFrame)]).collect();
        let sent = run(6000, &crowd);
        assert_eq!(sent.len(), 6);
        assert!(sent.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 1000), "{sent:?}");
    }

    #[test]
    fn a_joining_crowd_gets_a_few_key_frames_at_once_and_then_one_a_second() {
        let crowd: Vec<(u64, Event)> =
            (0..9000).step_by(50).flat_map(|ms| [(ms, Start), (ms + 20, KeyFrame)]).collect();
        let times: Vec<u64> = run(6000, &crowd).iter().map(|(ms, _)| *ms).collect();
        assert_eq!(times, [0, 300, 600, 1000, 2000, 3000, 4000, 5000]);
    }

    #[test]
    fn an_idle_requester_has_no_deadline() {
        let start = origin();
        let mut requester = KeyFrameRequester::default();
        assert_eq!(requester.poll_timeout(), None);
        requester.request(start);
        assert_eq!(requester.poll_timeout(), Some(start));
        requester.poll_request(start);
        assert_eq!(requester.poll_timeout(), Some(start + MIN_REQUEST_INTERVAL));
        requester.handle_key_frame();
        assert_eq!(requester.poll_timeout(), None);
    }
}
