//! Calls of two people whose media goes directly from one to the other, as a pure model: who can be called, who calls whom,
//! and who must be told what. No clock and no waiting: each change returns a [`Step`], which says what to tell and which
//! timer to start or stop. What is relayed (offers, answers, candidates) is passed on as it came.
//!
//! A user is whoever registered under that id, from one socket or several. A call rings on all sockets that its callee has
//! when it is placed, and the first answer wins. From then on its two ends are the socket that placed it and the one that
//! answered; its users' other sockets have no part in it, but a user in a call is busy wherever they are.

mod registered;
mod shared;

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

pub(crate) use shared::Calls;

use crate::error::SignalError;
use crate::limits::{HELD_CANDIDATES_MAX, REGISTERED_SOCKETS_MAX, RINGING_CALLS_MAX};
use crate::room::{Deliveries, PeerId};
use crate::wire::notice::{CallNotice, Notice};
use crate::wire::request::Target;
use registered::Registered;

/// A call. Numbers are not used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct CallId(u64);

/// What a change brings about.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Step {
    pub(crate) deliveries: Deliveries,
    pub(crate) timer: Option<Timer>,
}

/// How long a call may ring is for the caller of the model to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timer {
    /// The call rings: [`CallsState::time_out`] is due when it has done so for too long.
    Start(CallId),
    /// It does not ring any more.
    Stop(CallId),
}

/// How somebody gets out of a call. The word decides what the other side is told; any of them ends any call, for words cross
/// on the way: who cancels while the other one accepts wants out of a call that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaving {
    Cancel,
    Reject,
    End,
}

#[derive(Debug)]
struct Call {
    caller_id: String,
    /// The socket that placed it.
    placed_by: PeerId,
    callee_id: String,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Ringing {
        /// The callee's sockets that ring. Never empty.
        rung: Vec<PeerId>,
        /// Candidates of either side, and who sent them. Neither can use the other's before the answer.
        held: Vec<(PeerId, Value)>,
    },
    Running {
        answered_by: PeerId,
    },
}

impl Call {
    fn is_ringing(&self) -> bool {
        matches!(self.phase, Phase::Ringing { .. })
    }

    /// The sockets on the callee's side.
    fn called(&self) -> &[PeerId] {
        match &self.phase {
            Phase::Ringing { rung, .. } => rung,
            Phase::Running { answered_by } => std::slice::from_ref(answered_by),
        }
    }

    fn has_part(&self, socket: &PeerId) -> bool {
        self.placed_by == *socket || self.called().contains(socket)
    }

    /// Whom somebody who has a part in it talks to.
    fn partner_of(&self, socket: &PeerId) -> &str {
        if self.placed_by == *socket { &self.callee_id } else { &self.caller_id }
    }
}

/// Who can be called, and the calls.
#[derive(Debug)]
pub(crate) struct CallsState {
    registered: Registered,
    calls: HashMap<CallId, Call>,
    ringing: usize,
    ringing_max: usize,
    placed: u64,
}

impl Default for CallsState {
    fn default() -> Self {
        Self::new(REGISTERED_SOCKETS_MAX, RINGING_CALLS_MAX)
    }
}

impl CallsState {
    fn new(sockets_max: usize, ringing_max: usize) -> Self {
        let registered = Registered::new(sockets_max);
        Self { registered, calls: HashMap::new(), ringing: 0, ringing_max, placed: 0 }
    }

    /// A socket says whose it is, for the first time or again. Under another id it leaves what it had under the old one, as
    /// if it had been closed: whoever logs in as somebody else must not be kept out by a call that they left behind. A call
    /// that rings already does not ring on a socket that comes later.
    ///
    /// # Errors
    /// [`SignalError::TooManyRegistered`], [`SignalError::TooManySocketsOfUser`]; nothing has changed then.
    pub(crate) fn register(
        &mut self,
        socket: &PeerId,
        user_id: &str,
        user_name: Option<&str>,
    ) -> Result<Step, SignalError> {
        self.registered.check_room_for(socket, user_id)?;
        let is_other = self.registered.user_of(socket).is_some_and(|known| known != user_id);
        let step = if is_other { self.go(socket) } else { Step::default() };
        self.registered.add(socket, user_id, user_name);
        Ok(step)
    }

    /// A socket is gone. Does nothing for one that never registered.
    pub(crate) fn go(&mut self, socket: &PeerId) -> Step {
        let part = self.part_of(socket);
        let step = part.map_or_else(Step::default, |id| self.drop_out(id, socket));
        self.registered.remove(socket);
        step
    }

    /// Whether a call to that user would ring now.
    ///
    /// # Errors
    /// [`SignalError::NotRegistered`].
    pub(crate) fn is_available(&self, socket: &PeerId, target: &Target) -> Result<bool, SignalError> {
        let own_id = self.own_id(socket, "check-user-availability")?;
        let is_free = self.registered.is_known(&target.user_id) && self.registered.call_of(&target.user_id).is_none();
        Ok(is_free && target.user_id != own_id)
    }

    /// A call is placed: it rings on all of the callee's sockets. When two call each other, the second call finds the
    /// other one busy.
    ///
    /// # Errors
    /// [`SignalError::NotRegistered`], [`SignalError::CalledOneself`], [`SignalError::CallerBusy`],
    /// [`SignalError::CalleeNotFound`], [`SignalError::CalleeBusy`], [`SignalError::TooManyRinging`]; nothing has changed
    /// then.
    pub(crate) fn place(&mut self, socket: &PeerId, target: &Target, offer: Value) -> Result<Step, SignalError> {
        let caller_id = self.own_id(socket, "initiate-call")?.to_owned();
        let Target { field, user_id: callee_id } = target;
        if *callee_id == caller_id {
            return Err(SignalError::CalledOneself { field });
        }
        if self.registered.call_of(&caller_id).is_some() {
            return Err(SignalError::CallerBusy);
        }
        if !self.registered.is_known(callee_id) {
            return Err(SignalError::CalleeNotFound { field });
        }
        if self.registered.call_of(callee_id).is_some() {
            return Err(SignalError::CalleeBusy { field });
        }
        if self.ringing >= self.ringing_max {
            return Err(SignalError::TooManyRinging { limit: self.ringing_max });
        }
        self.placed = self.placed.wrapping_add(1);
        let id = CallId(self.placed);
        self.ringing += 1;
        self.registered.set_call(&caller_id, Some(id));
        self.registered.set_call(callee_id, Some(id));
        let rung = self.registered.sockets_of(callee_id).to_vec();
        let caller_name = self.registered.name_of(socket).to_owned();
        let deliveries = told(&rung, CallNotice::Incoming { caller_id: caller_id.clone(), caller_name, offer });
        let phase = Phase::Ringing { rung, held: Vec::new() };
        let call = Call { caller_id, placed_by: socket.clone(), callee_id: callee_id.clone(), phase };
        self.calls.insert(id, call);
        Ok(Step { deliveries, timer: Some(Timer::Start(id)) })
    }

    /// One of the sockets that ring accepts. The others stop ringing, and the two ends get what they sent each other before.
    ///
    /// # Errors
    /// [`SignalError::NotRegistered`]; [`SignalError::NotRinging`] when no call of that user rings on this socket: it was
    /// cancelled, answered elsewhere or not in time, or there never was one.
    pub(crate) fn accept(&mut self, socket: &PeerId, target: &Target, answer: Value) -> Result<Step, SignalError> {
        let callee_id = self.own_id(socket, "call-accepted")?.to_owned();
        let not_ringing = SignalError::NotRinging { field: target.field };
        let Some(id) = self.part_of(socket) else { return Err(not_ringing) };
        let Some(call) = self.calls.get_mut(&id) else { return Err(not_ringing) };
        let Phase::Ringing { rung, held } = &mut call.phase else { return Err(not_ringing) };
        if call.placed_by == *socket || call.caller_id != target.user_id {
            return Err(not_ringing);
        }
        let (rung, held) = (std::mem::take(rung), std::mem::take(held));
        call.phase = Phase::Running { answered_by: socket.clone() };
        self.ringing -= 1;
        let (caller_id, placed_by) = (call.caller_id.clone(), call.placed_by.clone());
        let others: Vec<_> = rung.into_iter().filter(|other| other != socket).collect();
        for other in &others {
            self.registered.remember(other, &caller_id);
        }
        let mut deliveries = told(&others, CallNotice::Cancelled);
        deliveries.extend(told([&placed_by], CallNotice::Accepted { answer }));
        for (from, candidate) in held {
            let (to, user_id) = if from == placed_by {
                (socket, &caller_id)
            } else if from == *socket {
                (&placed_by, &callee_id)
            } else {
                continue;
            };
            deliveries.extend(told([to], CallNotice::Candidate { candidate, user_id: user_id.clone() }));
        }
        Ok(Step { deliveries, timer: Some(Timer::Stop(id)) })
    }

    /// Somebody wants out of the call with that user. When it is over already, nothing is wrong: both may hang up at once.
    ///
    /// # Errors
    /// [`SignalError::NotRegistered`]; [`SignalError::NotInCall`] when this socket has and had no call with that user.
    pub(crate) fn leave(
        &mut self,
        socket: &PeerId,
        target: &Target,
        how: Leaving,
        event: &'static str,
    ) -> Result<Step, SignalError> {
        self.own_id(socket, event)?;
        if let Some((id, call)) = self.call_with(socket, &target.user_id) {
            let is_ringing = call.is_ringing();
            let notice = match how {
                Leaving::Cancel | Leaving::Reject if is_ringing && call.placed_by == *socket => CallNotice::Cancelled,
                Leaving::Cancel | Leaving::Reject if is_ringing => CallNotice::Rejected,
                Leaving::Cancel | Leaving::Reject | Leaving::End => CallNotice::Ended,
            };
            return Ok(self.close(id, socket, &notice));
        }
        if self.registered.last_partner(socket) == Some(&target.user_id) {
            return Ok(Step::default());
        }
        Err(SignalError::NotInCall { field: target.field })
    }

    /// A candidate for the other end. While the call rings it is kept and handed over with the answer: clients add it to
    /// their connection at once, and that has no description of the other side before; and addresses of who calls are no
    /// business of who does not answer. One that comes late or early, since candidates trickle by themselves, is dropped:
    /// an error would tell clients that their call has failed.
    ///
    /// # Errors
    /// [`SignalError::NotRegistered`]; [`SignalError::NotInCall`] when either of the two is in a call with somebody else, or
    /// there is no such user; [`SignalError::TooManyCandidates`]. Nothing has changed then.
    pub(crate) fn candidate(
        &mut self,
        socket: &PeerId,
        target: &Target,
        candidate: Value,
    ) -> Result<Step, SignalError> {
        let user_id = self.own_id(socket, "ice-candidate")?.to_owned();
        if let Some((id, _)) = self.call_with(socket, &target.user_id)
            && let Some(call) = self.calls.get_mut(&id)
        {
            return match &mut call.phase {
                Phase::Ringing { held, .. } => {
                    if held.iter().filter(|(from, _)| from == socket).count() >= HELD_CANDIDATES_MAX {
                        return Err(SignalError::TooManyCandidates);
                    }
                    held.push((socket.clone(), candidate));
                    Ok(Step::default())
                }
                Phase::Running { answered_by } => {
                    let to = if call.placed_by == *socket { &*answered_by } else { &call.placed_by };
                    let deliveries = told([to], CallNotice::Candidate { candidate, user_id });
                    Ok(Step { deliveries, timer: None })
                }
            };
        }
        let is_late = self.registered.last_partner(socket) == Some(&target.user_id);
        let is_early = self.registered.call_of(&user_id).is_none() && self.is_available(socket, target)?;
        if is_late || is_early {
            return Ok(Step::default());
        }
        Err(SignalError::NotInCall { field: target.field })
    }

    /// A call has rung for too long. Does nothing for one that does not ring any more.
    pub(crate) fn time_out(&mut self, id: CallId) -> Step {
        match self.calls.get(&id) {
            Some(call) if call.is_ringing() => {
                let caller = call.placed_by.clone();
                let mut step = self.close(id, &caller, &CallNotice::Cancelled);
                step.deliveries.extend(told([&caller], CallNotice::Unanswered));
                step
            }
            _ => Step::default(),
        }
    }

    /// Calls that were answered and go on.
    pub(crate) fn running(&self) -> usize {
        self.calls.len() - self.ringing
    }

    fn own_id(&self, socket: &PeerId, event: &'static str) -> Result<&str, SignalError> {
        self.registered.user_of(socket).ok_or(SignalError::NotRegistered(event))
    }

    /// The call that this socket has a part in.
    fn part_of(&self, socket: &PeerId) -> Option<CallId> {
        let id = self.registered.call_of(self.registered.user_of(socket)?)?;
        self.calls.get(&id).filter(|call| call.has_part(socket)).map(|_| id)
    }

    /// The same if it is with that user.
    fn call_with(&self, socket: &PeerId, user_id: &str) -> Option<(CallId, &Call)> {
        let id = self.part_of(socket)?;
        let call = self.calls.get(&id)?;
        (call.partner_of(socket) == user_id).then_some((id, call))
    }

    /// A socket with a part in the call is no more. A call goes on ringing where else it rings.
    fn drop_out(&mut self, id: CallId, socket: &PeerId) -> Step {
        if let Some(Call { placed_by, phase: Phase::Ringing { rung, held }, .. }) = self.calls.get_mut(&id)
            && placed_by != socket
            && rung.len() > 1
        {
            rung.retain(|other| other != socket);
            held.retain(|(from, _)| from != socket);
            return Step::default();
        }
        self.close(id, socket, &CallNotice::Ended)
    }

    /// Ends a call for both users. The other side than the leaver's is told `notice`; if it is one of several sockets that
    /// ring which leaves, the others are told to stop ringing.
    fn close(&mut self, id: CallId, leaver: &PeerId, notice: &CallNotice) -> Step {
        let Some(call) = self.calls.remove(&id) else {
            return Step::default();
        };
        self.registered.set_call(&call.caller_id, None);
        self.registered.set_call(&call.callee_id, None);
        self.registered.remember(&call.placed_by, &call.callee_id);
        for socket in call.called() {
            self.registered.remember(socket, &call.caller_id);
        }
        let deliveries = if call.placed_by == *leaver {
            told(call.called(), notice.clone())
        } else {
            let others = call.called().iter().filter(|other| *other != leaver);
            let mut deliveries = told([&call.placed_by], notice.clone());
            deliveries.extend(told(others, CallNotice::Cancelled));
            deliveries
        };
        let timer = call.is_ringing().then_some(Timer::Stop(id));
        if timer.is_some() {
            self.ringing -= 1;
        }
        Step { deliveries, timer }
    }
}

fn told<'a>(sockets: impl IntoIterator<Item = &'a PeerId>, notice: CallNotice) -> Deliveries {
    let notice = Arc::new(Notice::Call(notice));
    sockets.into_iter().map(|socket| (socket.clone(), notice.clone())).collect()
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
