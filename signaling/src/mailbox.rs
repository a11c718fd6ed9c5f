//! How a room reaches its peers' sessions: a bounded box of announcements, and a bell that ends the session.

use std::sync::Arc;

use sfu_core::ids::{ProducerId, TransportId};
use tokio::sync::{mpsc, watch};

use crate::limits::PENDING_NOTICES_MAX;
use crate::wire::notice::Notice;

/// Something for a session to do besides its socket's own events.
#[derive(Debug, Clone)]
pub(crate) enum Post {
    /// Tell the client.
    Notice(Arc<Notice>),
    /// An administrator of the room wants something of this socket.
    Order(Order),
    /// One of the session's transports closed by itself.
    TransportClosed(TransportId),
}

/// Why a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The socket is gone.
    Disconnected,
    /// The client does not read what it is sent.
    FellBehind,
    /// The room's worker died.
    RoomClosed,
    /// An administrator of the room has sent it away, or everybody. It is not to come back by itself.
    Removed,
}

/// What an administrator wants of a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Order {
    /// Pause what it sends.
    Mute(ProducerId),
    /// Its grants in the room were changed: look them up.
    Grants,
}

/// The sending side, held by the room and by the socket's handlers.
#[derive(Debug, Clone)]
pub(crate) struct Mailbox {
    posts: mpsc::Sender<Post>,
    end: watch::Sender<Option<End>>,
}

/// The receiving side, held by the session.
#[derive(Debug)]
pub(crate) struct Inbox {
    posts: mpsc::Receiver<Post>,
    end: watch::Receiver<Option<End>>,
}

/// What a session finds in its inbox.
#[derive(Debug)]
pub(crate) enum Mail {
    /// The session must end.
    End(End),
    /// Something to do.
    Post(Post),
}

impl Inbox {
    /// Waits for mail. The end comes before all posts.
    pub(crate) async fn next(&mut self) -> Mail {
        let Self { posts, end } = self;
        let ended = async {
            let end = end.wait_for(Option::is_some).await;
            // An error: nobody is left who could ring, so the socket is gone.
            end.map_or(None, |end| *end).unwrap_or(End::Disconnected)
        };
        tokio::select! {
            biased;
            end = ended => Mail::End(end),
            Some(post) = posts.recv() => Mail::Post(post),
        }
    }

    /// A post that is there already, if any.
    pub(crate) fn try_post(&mut self) -> Option<Post> {
        self.posts.try_recv().ok()
    }
}

impl Mailbox {
    /// A mailbox and its other side.
    pub(crate) fn new() -> (Self, Inbox) {
        let (posts, received) = mpsc::channel(PENDING_NOTICES_MAX);
        let (end, ended) = watch::channel(None);
        (Self { posts, end }, Inbox { posts: received, end: ended })
    }

    /// Posts without waiting. A session whose box is full has fallen behind, and ends; traces, which may be of every
    /// packet, are dropped before it comes to that.
    pub(crate) fn post(&self, post: Post) {
        let is_trace = matches!(&post, Post::Notice(notice) if matches!(**notice, Notice::Trace(..)));
        if is_trace && self.posts.capacity() <= PENDING_NOTICES_MAX / 2 {
            return;
        }
        if let Err(mpsc::error::TrySendError::Full(_)) = self.posts.try_send(post) {
            self.end(End::FellBehind);
        }
    }

    /// Ends the session after its current event. The first reason counts.
    pub(crate) fn end(&self, reason: End) {
        self.end.send_if_modified(|end| {
            let first = end.is_none();
            if first {
                *end = Some(reason);
            }
            first
        });
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use sfu_core::ids::Ssrc;
    use sfu_core::stats::{TraceDirection, TraceEvent, TraceInfo, TraceTarget};

    use super::*;

    #[test]
    fn traces_leave_half_of_the_box_to_what_must_arrive() {
        let (mailbox, mut inbox) = Mailbox::new();
        let target = TraceTarget::Transport(TransportId::random(&mut StdRng::seed_from_u64(1)));
        let info = TraceInfo::Pli { ssrc: Ssrc(1) };
        let event = TraceEvent { timestamp: 0, direction: TraceDirection::In, info };
        let trace = Arc::new(Notice::Trace(target, Box::new(event)));
        for _ in 0..=PENDING_NOTICES_MAX {
            mailbox.post(Post::Notice(trace.clone()));
        }
        assert_eq!(*inbox.end.borrow(), None);
        assert_eq!(std::iter::from_fn(|| inbox.try_post()).count(), PENDING_NOTICES_MAX / 2);
    }

    #[test]
    fn a_full_box_ends_the_session_and_blocks_nobody() {
        let (mailbox, inbox) = Mailbox::new();
        let notice = Arc::new(Notice::RoomClosed { room_id: "r".to_owned(), by_admin: false });
        for _ in 0..PENDING_NOTICES_MAX {
            mailbox.post(Post::Notice(notice.clone()));
        }
        assert_eq!(*inbox.end.borrow(), None);
        mailbox.post(Post::Notice(notice));
        assert_eq!(*inbox.end.borrow(), Some(End::FellBehind));
        mailbox.end(End::Disconnected);
        assert_eq!(*inbox.end.borrow(), Some(End::FellBehind));
    }
}
