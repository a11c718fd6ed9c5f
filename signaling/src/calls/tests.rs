mod limits;

use serde_json::json;

use super::properties::check;
use super::*;
use crate::vocabulary::Vocabulary;

const SOCKETS_MAX: usize = 40;
const RINGING_MAX: usize = 3;

/// Plays scenes, and looks after each step whether everything still fits together.
struct Stage {
    state: CallsState,
    /// The timers that were started and not stopped.
    timers: Vec<CallId>,
}

impl Stage {
    fn new() -> Self {
        Self { state: CallsState::new(SOCKETS_MAX, RINGING_MAX), timers: Vec::new() }
    }

    /// Does what a line says, as `a1 calls bob`; `time passes` ends all ringing. The answer is who was told what, or the refusal.
    fn play(&mut self, line: &str) -> Vec<String> {
        let words: Vec<_> = line.split_whitespace().collect();
        let [name, verb, ref rest @ ..] = words[..] else { panic!("{line}") };
        let socket = PeerId::new(name);
        let target = |at: usize| Target { field: "targetUserId", user_id: rest[at].to_owned() };
        let state = &mut self.state;
        let step = match verb {
            "passes" => {
                let mut all = Step::default();
                for id in std::mem::take(&mut self.timers) {
                    all.deliveries.extend(state.time_out(id).deliveries);
                }
                Ok(all)
            }
            "is" => state.register(&socket, rest[0], rest.get(1).copied()),
            "goes" => Ok(state.go(&socket)),
            "calls" => state.place(&socket, &target(0), json!("offer")),
            "accepts" => state.accept(&socket, &target(0), json!(format!("answer of {name}"))),
            "rejects" => state.leave(&socket, &target(0), Leaving::Reject, "call-rejected"),
            "cancels" => state.leave(&socket, &target(0), Leaving::Cancel, "cancel-call"),
            "ends" => state.leave(&socket, &target(0), Leaving::End, "call-ended"),
            "sends" => state.candidate(&socket, &target(1), json!(rest[0])),
            "asks" => state.is_available(&socket, &target(0)).map(|available| {
                let deliveries = told([&socket], CallNotice::Availability { is_available: available });
                Step { deliveries, timer: None }
            }),
            _ => panic!("{line}"),
        };
        let told = match step {
            Ok(Step { deliveries, timer }) => {
                match timer {
                    Some(Timer::Start(id)) => self.timers.push(id),
                    Some(Timer::Stop(id)) => self.timers.retain(|other| *other != id),
                    None => {}
                }
                deliveries.iter().map(|(to, notice)| format!("{to}: {}", in_words(notice))).collect()
            }
            Err(error) => vec![format!("no: {error}")],
        };
        check(&self.state, &self.timers);
        told
    }

    fn scene(&mut self, lines: &[(&str, &[&str])]) {
        for (line, expected) in lines {
            assert_eq!(self.play(line), *expected, "{line}");
        }
    }
}

/// A stage with these lines played, none of which is refused.
fn after(lines: &[&str]) -> Stage {
    let mut stage = Stage::new();
    for line in lines {
        let told = stage.play(line);
        assert!(!told.iter().any(|told| told.starts_with("no:")), "{line}: {told:?}");
    }
    stage
}

fn in_words(notice: &Notice) -> String {
    let (event, payload) = notice.encode(Vocabulary::PeerToPeer);
    let Notice::Call(notice) = notice else { panic!("{notice:?}") };
    match notice {
        CallNotice::Incoming { caller_id, caller_name, .. } => format!("{event} {caller_id} ({caller_name})"),
        CallNotice::Accepted { answer } => format!("{event} {answer}"),
        CallNotice::Candidate { candidate, user_id } => format!("{event} {candidate} of {user_id}"),
        CallNotice::Availability { is_available } => format!("{event} {is_available}"),
        CallNotice::Unanswered => format!("{event} {}", payload["message"]),
        _ => event.to_owned(),
    }
}

const ANN_AND_BOB: [&str; 2] = ["a1 is ann", "b1 is bob"];
const RINGING: [&str; 3] = ["a1 is ann", "b1 is bob", "a1 calls bob"];
const RUNNING: [&str; 4] = ["a1 is ann", "b1 is bob", "a1 calls bob", "b1 accepts ann"];

const BUSY: &str = "no: targetUserId: that user is in another call";
const CALLER_BUSY: &str = "no: initiate-call: this user is in a call already";
const NOT_RINGING: &str = "no: targetUserId: no call of that user rings here";
const NOT_IN_CALL: &str = "no: targetUserId: this socket is in no call with that user";
const FREE: &[&str] = &["c1: user-availability-response true"];
const TAKEN: &[&str] = &["c1: user-availability-response false"];

#[test]
fn a_call_rings_is_accepted_and_ends_and_both_are_free_again() {
    Stage::new().scene(&[
        ("a1 is ann Ann", &[]),
        ("b1 is bob Bob", &[]),
        ("c1 is cleo", &[]),
        ("c1 asks bob", FREE),
        ("a1 calls bob", &["b1: incoming-call ann (Ann)"]),
        ("c1 asks ann", TAKEN),
        ("c1 asks bob", TAKEN),
        ("b1 accepts ann", &["a1: call-accepted \"answer of b1\""]),
        ("c1 asks ann", TAKEN),
        ("c1 asks bob", TAKEN),
        ("a1 ends bob", &["b1: call-ended"]),
        ("c1 asks ann", FREE),
        ("c1 asks bob", FREE),
        // Who was called can call, and who has no name is called by their id.
        ("b1 calls ann", &["a1: incoming-call bob (Bob)"]),
        ("a1 accepts bob", &["b1: call-accepted \"answer of a1\""]),
        ("a1 ends bob", &["b1: call-ended"]),
        ("c1 calls ann", &["a1: incoming-call cleo (cleo)"]),
    ]);
}

/// Harm prevented: somebody is taken for busy for good, because one way out of a call forgets them.
#[test]
fn every_way_out_of_a_call_tells_the_other_side_once_and_frees_both() {
    let ends = [
        (&RINGING[..], "b1 rejects ann", &["a1: call-rejected"][..]),
        (&RINGING, "b1 ends ann", &["a1: call-ended"]),
        (&RINGING, "b1 goes", &["a1: call-ended"]),
        (&RINGING, "b1 is bert", &["a1: call-ended"]),
        (&RINGING, "a1 cancels bob", &["b1: call-cancelled"]),
        // Clients with one button for hanging up say that a call that rings has ended.
        (&RINGING, "a1 ends bob", &["b1: call-ended"]),
        (&RINGING, "a1 goes", &["b1: call-ended"]),
        (&RINGING, "a1 is anna", &["b1: call-ended"]),
        (&RINGING, "time passes", &["b1: call-cancelled", "a1: call-error \"the call was not answered\""]),
        // A word that is the other side's: what is wanted is clear.
        (&RINGING, "a1 rejects bob", &["b1: call-cancelled"]),
        (&RINGING, "b1 cancels ann", &["a1: call-rejected"]),
        (&RUNNING, "a1 ends bob", &["b1: call-ended"]),
        (&RUNNING, "b1 ends ann", &["a1: call-ended"]),
        (&RUNNING, "a1 goes", &["b1: call-ended"]),
        (&RUNNING, "b1 goes", &["a1: call-ended"]),
        (&RUNNING, "a1 is anna", &["b1: call-ended"]),
        (&RUNNING, "b1 is bert", &["a1: call-ended"]),
        // The caller gave up while the callee accepted.
        (&RUNNING, "a1 cancels bob", &["b1: call-ended"]),
        (&RUNNING, "b1 rejects ann", &["a1: call-ended"]),
    ];
    for (before, end, expected) in ends {
        let mut stage = after(before);
        assert_eq!(stage.play(end), expected, "{end}");
        assert_eq!(stage.play("time passes"), [""; 0], "nothing more comes of it: {end}");
        stage.scene(&[("c1 is cleo", &[])]);
        for user in ["ann", "bob"] {
            // Whoever is still there can be called.
            let is_there = stage.state.registered.is_known(user);
            assert_eq!(stage.play(&format!("c1 asks {user}")), if is_there { FREE } else { TAKEN }, "{end}");
        }
        assert!(stage.state.calls.is_empty());
    }
}

/// Harm prevented: both hang up at once, and one of them sees an error instead of the end.
#[test]
fn what_crosses_the_end_of_a_call_is_no_error() {
    for before in [
        &["b1 rejects ann"][..],
        &["a1 cancels bob"],
        &["time passes"],
        &["b1 accepts ann", "a1 ends bob"],
        &["b1 accepts ann", "b1 ends ann"],
    ] {
        let mut stage = after(&[&RINGING[..], before].concat());
        for late in
            ["a1 ends bob", "b1 ends ann", "a1 cancels bob", "b1 rejects ann", "a1 sends x bob", "b1 sends y ann"]
        {
            assert_eq!(stage.play(late), [""; 0], "{late} after {before:?}");
        }
        // But who accepts waits for media that will not come.
        assert_eq!(stage.play("b1 accepts ann"), [NOT_RINGING], "{before:?}");
        // Nor does it touch the next call.
        stage.scene(&[
            ("c1 is cleo", &[]),
            ("c1 calls bob", &["b1: incoming-call cleo (cleo)"]),
            ("b1 ends ann", &[]),
            ("b1 rejects ann", &[]),
            ("b1 sends y ann", &[]),
            ("b1 accepts ann", &[NOT_RINGING]),
            ("b1 accepts cleo", &["c1: call-accepted \"answer of b1\""]),
        ]);
    }
}

#[test]
fn a_call_rings_on_all_sockets_of_the_callee_and_the_first_answer_wins() {
    let mut stage = after(&["a1 is ann", "b1 is bob", "b2 is bob", "b3 is bob"]);
    let rings = ["b1: incoming-call ann (ann)", "b2: incoming-call ann (ann)", "b3: incoming-call ann (ann)"];
    stage.scene(&[
        ("a1 calls bob", &rings),
        ("b2 accepts ann", &["b1: call-cancelled", "b3: call-cancelled", "a1: call-accepted \"answer of b2\""]),
        // The second answer is too late, and changes nothing.
        ("b1 accepts ann", &[NOT_RINGING]),
        // Nor do the others hang up what they do not have.
        ("b1 rejects ann", &[]),
        ("b3 ends ann", &[]),
        ("b3 goes", &[]),
        ("b1 sends y ann", &[]),
        ("a1 sends x bob", &["b2: ice-candidate \"x\" of ann"]),
        ("b2 sends y ann", &["a1: ice-candidate \"y\" of bob"]),
        ("b2 accepts ann", &[NOT_RINGING]),
        ("b2 ends ann", &["a1: call-ended"]),
        ("a1 calls bob", &["b1: incoming-call ann (ann)", "b2: incoming-call ann (ann)"]),
        ("b1 rejects ann", &["a1: call-rejected", "b2: call-cancelled"]),
        ("a1 calls bob", &["b1: incoming-call ann (ann)", "b2: incoming-call ann (ann)"]),
        ("a1 cancels bob", &["b1: call-cancelled", "b2: call-cancelled"]),
    ]);
}

/// Harm prevented: closing one of two tabs ends a call that rings in the other, or a call rings on with nobody to hear it.
#[test]
fn a_call_rings_on_where_it_still_can() {
    let mut stage = after(&["a1 is ann", "b1 is bob", "b2 is bob", "a1 calls bob"]);
    stage.scene(&[
        ("b1 goes", &[]),
        // One who comes while it rings does not ring, and has no say.
        ("b3 is bob", &[]),
        ("b3 accepts ann", &[NOT_RINGING]),
        ("b3 rejects ann", &[NOT_IN_CALL]),
        ("b2 goes", &["a1: call-ended"]),
        ("a1 calls bob", &["b3: incoming-call ann (ann)"]),
    ]);
}

/// Harm prevented: one of the caller's tabs takes part in a call that another one placed, and cannot have its media.
#[test]
fn a_callers_other_sockets_have_no_part_in_the_call_but_the_user_is_busy() {
    let mut stage = after(&["a1 is ann", "a2 is ann", "b1 is bob", "c1 is cleo", "a1 calls bob"]);
    stage.scene(&[
        ("a2 calls cleo", &[CALLER_BUSY]),
        ("c1 calls ann", &[BUSY]),
        ("a2 cancels bob", &[NOT_IN_CALL]),
        ("a2 ends bob", &[NOT_IN_CALL]),
        ("a2 sends x bob", &[NOT_IN_CALL]),
        ("a2 goes", &[]),
        ("b1 accepts ann", &["a1: call-accepted \"answer of b1\""]),
        ("a3 is ann", &[]),
        ("a3 ends bob", &[NOT_IN_CALL]),
        ("b1 sends y ann", &["a1: ice-candidate \"y\" of bob"]),
        ("a1 goes", &["b1: call-ended"]),
        // Busy no more, by the tab that is left.
        ("c1 calls ann", &["a3: incoming-call cleo (cleo)"]),
    ]);
}

#[test]
fn who_cannot_be_called_is_told_why_and_no_call_is_disturbed() {
    let mut stage = after(&["a1 is ann", "b1 is bob", "c1 is cleo"]);
    stage.scene(&[
        ("x1 asks bob", &["no: check-user-availability: register-user must come first"]),
        ("x1 calls bob", &["no: initiate-call: register-user must come first"]),
        ("x1 accepts bob", &["no: call-accepted: register-user must come first"]),
        ("x1 rejects bob", &["no: call-rejected: register-user must come first"]),
        ("x1 cancels bob", &["no: cancel-call: register-user must come first"]),
        ("x1 ends bob", &["no: call-ended: register-user must come first"]),
        ("x1 sends x bob", &["no: ice-candidate: register-user must come first"]),
        ("a1 calls nobody", &["no: targetUserId: nobody of that id is registered"]),
        ("a1 calls ann", &["no: targetUserId: nobody can call themselves"]),
        ("c1 asks nobody", TAKEN),
        ("c1 asks cleo", TAKEN),
        ("a1 accepts bob", &[NOT_RINGING]),
        ("a1 rejects bob", &[NOT_IN_CALL]),
        ("a1 cancels bob", &[NOT_IN_CALL]),
        ("a1 ends nobody", &[NOT_IN_CALL]),
        ("a1 calls bob", &["b1: incoming-call ann (ann)"]),
        // Twice, and to somebody else meanwhile.
        ("a1 calls bob", &[CALLER_BUSY]),
        ("a1 calls cleo", &[CALLER_BUSY]),
        // Each calls the other: the first call rings on.
        ("b1 calls ann", &[CALLER_BUSY]),
        ("c1 calls ann", &[BUSY]),
        ("c1 calls bob", &[BUSY]),
        // Neither the caller nor somebody else can accept for the callee.
        ("a1 accepts bob", &[NOT_RINGING]),
        ("a1 accepts ann", &[NOT_RINGING]),
        ("c1 accepts ann", &[NOT_RINGING]),
        ("b1 accepts cleo", &[NOT_RINGING]),
        ("c1 ends ann", &[NOT_IN_CALL]),
        ("c1 rejects ann", &[NOT_IN_CALL]),
        ("b1 rejects cleo", &[NOT_IN_CALL]),
        ("b1 accepts ann", &["a1: call-accepted \"answer of b1\""]),
        ("b1 calls cleo", &[CALLER_BUSY]),
        ("c1 calls bob", &[BUSY]),
        ("c1 ends bob", &[NOT_IN_CALL]),
        ("a1 ends cleo", &[NOT_IN_CALL]),
        ("a1 ends bob", &["b1: call-ended"]),
    ]);
}

/// Harm prevented: the callee's client adds candidates to a connection that has no description yet, fails, and the call
/// never connects; or somebody learns the addresses of whoever calls by letting it ring.
#[test]
fn candidates_wait_for_the_answer_and_reach_nobody_but_the_two_ends() {
    let mut stage = after(&["a1 is ann", "b1 is bob", "b2 is bob", "c1 is cleo", "d1 is dan"]);
    stage.scene(&[
        // Some begin to trickle before the call is placed, when nobody could use them.
        ("a1 sends 0 bob", &[]),
        ("a1 sends 0 nobody", &[NOT_IN_CALL]),
        ("a1 sends 0 ann", &[NOT_IN_CALL]),
        ("a1 calls bob", &["b1: incoming-call ann (ann)", "b2: incoming-call ann (ann)"]),
        ("a1 sends 1 bob", &[]),
        ("b1 sends 2 ann", &[]),
        ("b2 sends 3 ann", &[]),
        ("a1 sends 4 bob", &[]),
        ("c1 sends 5 bob", &[NOT_IN_CALL]),
        ("c1 sends 5 ann", &[NOT_IN_CALL]),
        ("a1 sends 5 cleo", &[NOT_IN_CALL]),
        (
            "b2 accepts ann",
            &[
                "b1: call-cancelled",
                "a1: call-accepted \"answer of b2\"",
                "b2: ice-candidate \"1\" of ann",
                "a1: ice-candidate \"3\" of bob",
                "b2: ice-candidate \"4\" of ann",
            ],
        ),
        ("a1 sends 6 bob", &["b2: ice-candidate \"6\" of ann"]),
        ("b2 sends 7 ann", &["a1: ice-candidate \"7\" of bob"]),
        ("c1 sends 8 bob", &[NOT_IN_CALL]),
        ("b2 sends 8 cleo", &[NOT_IN_CALL]),
        ("c1 sends 8 dan", &[]),
    ]);
}

/// Harm prevented: candidates of a tab that was closed while it rang reach the caller as if they were the callee's.
#[test]
fn what_a_closed_tab_sent_is_not_handed_over() {
    let lines = ["a1 is ann", "b1 is bob", "b2 is bob", "a1 calls bob", "b1 sends 1 ann", "b1 goes", "b1 is bob"];
    let mut stage = after(&lines);
    stage.scene(&[("b2 accepts ann", &["a1: call-accepted \"answer of b2\""])]);
}

#[test]
fn registering_again_is_the_same_user_or_the_end_of_the_other_one() {
    let mut stage = after(&["a1 is ann Ann", "b1 is bob", "c1 is cleo", "a1 calls bob"]);
    stage.scene(&[
        // The same again, by another name: the call rings on, on this socket once.
        ("b1 is bob Bob", &[]),
        ("b1 accepts ann", &["a1: call-accepted \"answer of b1\""]),
        ("a1 is ann Anna", &[]),
        ("a1 sends x bob", &["b1: ice-candidate \"x\" of ann"]),
        ("a1 ends bob", &["b1: call-ended"]),
        ("a1 calls bob", &["b1: incoming-call ann (Anna)"]),
        // Somebody else logs in: the call was the old user's, and so is what was said to it.
        ("a1 is eve", &["b1: call-ended"]),
        ("a1 ends bob", &[NOT_IN_CALL]),
        ("c1 asks ann", TAKEN),
        ("c1 asks eve", FREE),
        // To a user who is there already.
        ("a1 is cleo", &[]),
        ("b1 calls cleo", &["c1: incoming-call bob (Bob)", "a1: incoming-call bob (Bob)"]),
    ]);
}

#[test]
fn a_caller_is_named_by_what_they_registered() {
    let mut stage = after(&ANN_AND_BOB);
    let deliveries = stage
        .state
        .place(&PeerId::new("a1"), &Target { field: "to", user_id: "bob".to_owned() }, json!({"sdp": "v=0"}))
        .unwrap()
        .deliveries;
    let (event, payload) = deliveries[0].1.encode(Vocabulary::PeerToPeer);
    assert_eq!(event, "incoming-call");
    assert_eq!(payload, json!({"callerId": "ann", "callerName": "ann", "from": "ann", "offer": {"sdp": "v=0"}}));
}

#[test]
fn a_refusal_names_the_field_that_the_client_used() {
    let mut state = after(&ANN_AND_BOB).state;
    let socket = PeerId::new("a1");
    for field in ["targetUserId", "to"] {
        let target = Target { field, user_id: "nobody".to_owned() };
        for error in [
            state.place(&socket, &target, json!("offer")).unwrap_err(),
            state.accept(&socket, &target, json!("answer")).unwrap_err(),
            state.leave(&socket, &target, Leaving::End, "call-ended").unwrap_err(),
            state.candidate(&socket, &target, json!("candidate")).unwrap_err(),
        ] {
            assert!(error.to_string().starts_with(&format!("{field}: ")), "{error}");
        }
    }
}

#[test]
fn a_timer_that_comes_too_late_ends_no_other_call() {
    let mut stage = after(&RINGING);
    let timer = stage.timers[0];
    stage.scene(&[("b1 rejects ann", &["a1: call-rejected"]), ("a1 calls bob", &["b1: incoming-call ann (ann)"])]);
    let late = stage.state.time_out(timer);
    assert!(late.deliveries.is_empty() && late.timer.is_none());
    stage.scene(&[("b1 accepts ann", &["a1: call-accepted \"answer of b1\""])]);
    let late = stage.state.time_out(stage.state.registered.call_of("ann").unwrap());
    assert!(late.deliveries.is_empty() && late.timer.is_none(), "it runs");
    stage.scene(&[("a1 ends bob", &["b1: call-ended"])]);
}

#[test]
fn only_calls_that_were_answered_run() {
    let mut stage = after(&RINGING);
    assert_eq!(stage.state.running(), 0);
    stage.play("b1 accepts ann");
    assert_eq!(stage.state.running(), 1);
    stage.play("b1 goes");
    assert_eq!(stage.state.running(), 0);
}
