//! The agent: credentials, tuples, nomination, consent.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rand::RngCore;

use super::credentials::Credentials;
use super::events::{DisconnectReason, IceEvent, IceState, IceStats, StunDrop, StunOutcome};
use super::message::{self, Check, Request};
use super::replays::Replays;
use super::tuples::Tuples;
use crate::transport::tuple::Tuple;

/// How long a peer's consent lasts after its last valid check (RFC 7675 section 5.1). A browser checks every 2.5 s or
/// so.
pub const CONSENT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long after a valid check its tuple is the peer's own, and no check of another transport over it counts: browsers check
/// every 2.5 to 6 s. The source address of a check can be forged, so whoever knows another peer's address could cut it off by checks
/// of their own transport. Afterwards a tuple may have a new owner: a NAT has given the port to somebody else.
pub const TUPLE_HOLD: Duration = Duration::from_secs(10);

/// What a deadline of the agent is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IceTimer {
    /// The peer's consent runs out.
    Consent,
}

/// The ICE-lite agent of one transport.
#[derive(Debug)]
pub struct IceLite {
    state: IceState,
    credentials: Credentials,
    /// Whether a valid check with `credentials` has come.
    confirmed: bool,
    /// Those from before a restart, accepted until the peer uses the new ones.
    previous: Option<Credentials>,
    tuples: Tuples,
    replays: Replays,
    /// The highest nomination value seen since the (re)start.
    nomination: u32,
    consent_timeout: Duration,
    consent_until: Option<Instant>,
    events: VecDeque<IceEvent>,
    stats: IceStats,
}

impl IceLite {
    /// An agent with new credentials and [`CONSENT_TIMEOUT`].
    pub fn new(rng: &mut impl RngCore) -> Self {
        Self::with_consent_timeout(rng, CONSENT_TIMEOUT)
    }

    /// An agent whose peer's consent lasts for `consent_timeout` after each valid check.
    pub fn with_consent_timeout(rng: &mut impl RngCore, consent_timeout: Duration) -> Self {
        Self {
            state: IceState::New,
            credentials: Credentials::random(rng),
            confirmed: false,
            previous: None,
            tuples: Tuples::default(),
            replays: Replays::default(),
            nomination: 0,
            consent_timeout,
            consent_until: None,
            events: VecDeque::new(),
            stats: IceStats::default(),
        }
    }

    /// The username fragment and the password to signal.
    pub fn local_parameters(&self) -> (&str, &str) {
        (&self.credentials.ufrag, &self.credentials.password)
    }

    /// The state.
    pub fn state(&self) -> IceState {
        self.state
    }

    /// Whether checks for this local username fragment are for this agent: the current one, and after a restart the one
    /// before, until [`IceEvent::UfragRetired`].
    #[cfg(test)]
    pub(super) fn accepts_ufrag(&self, ufrag: &str) -> bool {
        self.password_of(ufrag).is_some()
    }

    /// Whether something else than STUN may be taken from this tuple.
    pub fn is_validated(&self, tuple: &Tuple) -> bool {
        self.tuples.contains(tuple)
    }

    /// Whether the tuple is valid and the peer has checked over it within [`TUPLE_HOLD`].
    pub fn holds(&self, now: Instant, tuple: &Tuple) -> bool {
        self.tuples.last_check(tuple).is_some_and(|at| now < at + TUPLE_HOLD)
    }

    /// Where to send.
    pub fn selected(&self) -> Option<Tuple> {
        self.tuples.selected()
    }

    /// What became of the STUN datagrams.
    pub fn stats(&self) -> IceStats {
        self.stats
    }

    /// Draws new credentials and returns them (RFC 8445 section 9). Everything goes on as it was: the tuples stay
    /// valid, and checks with the credentials that the peer uses now are accepted until the first valid one with the
    /// new.
    pub fn restart(&mut self, rng: &mut impl RngCore) -> (&str, &str) {
        let replaced = std::mem::replace(&mut self.credentials, Credentials::random(rng));
        // Of several generations that the peer has not used, none but the newest can still be on its way.
        if self.confirmed || self.previous.is_none() {
            self.previous = Some(replaced);
        } else {
            self.events.push_back(IceEvent::UfragRetired(replaced.ufrag));
        }
        self.confirmed = false;
        self.nomination = 0;
        self.local_parameters()
    }

    /// Closes the agent: no tuple is valid any more and no check is answered.
    pub fn close(&mut self) {
        if self.state != IceState::Closed {
            self.forget_tuples();
            self.set_state(IceState::Closed, None);
        }
    }

    /// Takes a STUN datagram that came over `tuple`.
    pub fn handle_stun(&mut self, now: Instant, tuple: Tuple, datagram: &[u8]) -> StunOutcome {
        let outcome = self.answer(now, tuple, datagram).map_or_else(StunOutcome::Dropped, StunOutcome::Reply);
        if let StunOutcome::Dropped(_) = outcome {
            self.stats.dropped += 1;
        }
        outcome
    }

    fn answer(&mut self, now: Instant, tuple: Tuple, datagram: &[u8]) -> Result<Vec<u8>, StunDrop> {
        if self.state == IceState::Closed {
            return Err(StunDrop::Closed);
        }
        let mut request = Request::read(datagram)?;
        let password = self.password_of(&request.local_ufrag).ok_or(StunDrop::NotForUs)?;
        match request.verify(password) {
            Ok(check) => {
                let reply = message::success(request.transaction_id(), tuple.remote, password);
                let reply = reply.ok_or(StunDrop::Malformed)?;
                let is_repeat = self.replays.handle_check(request.transaction_id());
                if is_repeat && !self.tuples.contains(&tuple) {
                    return Err(StunDrop::Replayed);
                }
                self.stats.accepted += 1;
                self.handle_check(now, tuple, &request.local_ufrag, check, is_repeat);
                Ok(reply)
            }
            Err(refusal) => {
                let reply = message::error(request.transaction_id(), refusal, password);
                let reply = reply.ok_or(StunDrop::Malformed)?;
                self.stats.refused += 1;
                Ok(reply)
            }
        }
    }

    fn password_of(&self, ufrag: &str) -> Option<&str> {
        let generations = [Some(&self.credentials), self.previous.as_ref()];
        generations.into_iter().flatten().find(|one| one.ufrag == ufrag).map(|one| one.password.as_str())
    }

    /// A check that the peer has authenticated. One that came before moves nothing to another tuple: it may be from somebody who has
    /// seen it. But if their copy was the first, from a tuple that was valid later than the peer's, the peer's own moves all back.
    fn handle_check(&mut self, now: Instant, tuple: Tuple, ufrag: &str, check: Check, is_repeat: bool) {
        if ufrag == self.credentials.ufrag {
            self.confirmed = true;
            if let Some(previous) = self.previous.take() {
                self.events.push_back(IceEvent::UfragRetired(previous.ufrag));
            }
        }
        self.consent_until = Some(now + self.consent_timeout);
        let added = self.tuples.heard(now, tuple);
        self.events.extend(added.evicted.map(IceEvent::TupleRemoved));
        if added.new {
            self.events.push_back(IceEvent::TupleValidated(tuple));
        }
        let newest_nomination = check.nomination.is_none_or(|nomination| nomination > self.nomination);
        let nominated = check.nominates && newest_nomination;
        self.nomination = self.nomination.max(check.nomination.unwrap_or_default());
        let may_select = !is_repeat || self.tuples.is_older_than_selected(&tuple);
        let wants_selection = nominated || self.tuples.selected().is_none();
        if may_select && wants_selection && self.tuples.select(tuple) {
            self.events.push_back(IceEvent::TupleSelected(tuple));
        }
        if nominated {
            self.set_state(IceState::Completed, None);
        } else if matches!(self.state, IceState::New | IceState::Disconnected) {
            self.set_state(IceState::Connected, None);
        }
    }

    /// The connection under `tuple` is gone. The tuple heard last takes its place, if it still has the peer's consent.
    pub fn handle_tuple_closed(&mut self, now: Instant, tuple: Tuple) {
        let was_selected = self.tuples.selected() == Some(tuple);
        if !self.tuples.remove(&tuple) {
            return;
        }
        self.events.push_back(IceEvent::TupleRemoved(tuple));
        if !was_selected {
            return;
        }
        match self.tuples.latest_since(now.checked_sub(self.consent_timeout)) {
            Some(next) => {
                self.tuples.select(next);
                self.events.push_back(IceEvent::TupleSelected(next));
            }
            None => self.disconnect(DisconnectReason::LastTupleClosed),
        }
    }

    /// When [`IceLite::handle_timeout`] has to be called, and what for.
    pub fn poll_timeout(&self) -> Option<(Instant, IceTimer)> {
        self.consent_until.map(|until| (until, IceTimer::Consent))
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.consent_until.is_some_and(|until| until <= now) {
            self.disconnect(DisconnectReason::ConsentExpired);
        }
    }

    /// The next event, oldest first.
    pub fn poll_event(&mut self) -> Option<IceEvent> {
        self.events.pop_front()
    }

    fn disconnect(&mut self, reason: DisconnectReason) {
        self.forget_tuples();
        self.set_state(IceState::Disconnected, Some(reason));
    }

    fn forget_tuples(&mut self) {
        self.events.extend(self.tuples.drain().map(IceEvent::TupleRemoved));
        self.consent_until = None;
        self.nomination = 0;
    }

    fn set_state(&mut self, state: IceState, reason: Option<DisconnectReason>) {
        if self.state != state {
            self.state = state;
            self.events.push_back(IceEvent::StateChanged { state, reason });
        }
    }
}
