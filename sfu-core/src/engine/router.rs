//! The handle of a room, and what happens in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;

use super::branches::{Part, Span};
use super::handles::{WebRtcTransport, released};
use super::slot::WorkerSlot;
use super::{CreateTransportError, Inner, PortMode, TransportRefused, WebRtcTransportOptions, WorkerGone};
use crate::ids::RouterId;
use crate::parameters::RtpCapabilities;
use crate::router::{RouterCloseReason, RouterEvent, RouterOptions};
use crate::worker::{EVENT_QUEUE, EventSink, ExpectedRouter, OwnPort, TransportInfo};

/// What happens in a router without having been asked for on that very object.
///
/// Bounded: an owner who falls 65 536 events behind loses the router, and is told so by the last event.
#[derive(Debug)]
pub struct RouterEvents {
    receiver: mpsc::Receiver<RouterEvent>,
    ended_orderly: Arc<AtomicBool>,
    over: bool,
}

impl RouterEvents {
    /// The next event; `None` once the router was closed by its handle, or after [`RouterEvent::Closed`].
    pub async fn next(&mut self) -> Option<RouterEvent> {
        if self.over {
            return None;
        }
        let event = match self.receiver.recv().await {
            Some(event) => event,
            None if self.ended_orderly.load(Ordering::Acquire) => {
                self.over = true;
                return None;
            }
            None => RouterEvent::Closed { reason: RouterCloseReason::WorkerDied },
        };
        self.over = matches!(event, RouterEvent::Closed { .. });
        Some(event)
    }
}

/// One room's forwarding table. It begins on one worker, its home; a large one spans others by itself.
#[derive(Debug, Clone)]
pub struct Router {
    id: RouterId,
    capabilities: Arc<RtpCapabilities>,
    pub(super) span: Arc<Span>,
}

impl Router {
    pub(super) async fn create(
        engine: &Arc<Inner>,
        (number, slot): (usize, &WorkerSlot),
        options: RouterOptions,
        expected: ExpectedRouter,
    ) -> Result<(Self, RouterEvents), WorkerGone> {
        // One place more than the limit for each part of the room, for the event that says that the limit was reached.
        let (sender, receiver) = mpsc::channel(EVENT_QUEUE + engine.slots.len());
        let events = sender.downgrade();
        let ended_orderly = Arc::new(AtomicBool::new(false));
        let sink = EventSink { sender, ended_orderly: Arc::clone(&ended_orderly) };
        let worker = slot.client();
        let id = worker
            .call(move |shell, _| {
                let id = shell.core.borrow_mut().create_router(options);
                shell.add_sink(id, sink);
                // Counts the router.
                shell.settle();
                drop(expected);
                id
            })
            .await?;
        let home = (number, worker, id);
        let span = Arc::new(Span::new(Arc::downgrade(engine), home, events, Arc::clone(&ended_orderly)));
        let router = Self { id, capabilities: Arc::clone(&engine.capabilities), span };
        Ok((router, RouterEvents { receiver, ended_orderly, over: false }))
    }

    /// This router's id.
    pub fn id(&self) -> RouterId {
        self.id
    }

    /// What this router can do: what clients load their device with.
    pub fn rtp_capabilities(&self) -> &RtpCapabilities {
        &self.capabilities
    }

    /// Makes a transport for one peer.
    ///
    /// # Errors
    /// [`CreateTransportError`].
    pub async fn create_webrtc_transport(
        &self,
        options: WebRtcTransportOptions,
    ) -> Result<WebRtcTransport, CreateTransportError> {
        if !options.enable_udp && !options.enable_tcp {
            return Err(CreateTransportError::NoProtocol);
        }
        let part = self.span.place(options.used_for).await;
        let created = create_on(&part, options).await;
        let (part, created) = match created {
            // The branch has just gone; the room goes on without.
            Err(CreateTransportError::WorkerGone(_)) | Ok(Err(TransportRefused::RouterClosed))
                if part.branch.is_some() =>
            {
                let home = self.span.home();
                (home.clone(), create_on(home, options).await)
            }
            created => (part, created),
        };
        Ok(WebRtcTransport::new(created??, part))
    }

    /// Closes the router and everything in it. Ports of its transports are free again when this returns. Idempotent.
    pub async fn close(&self) {
        let branches = self.span.close().await;
        for Part { worker, router, .. } in branches.iter().chain([self.span.home()]) {
            let router = *router;
            let closing = worker.call(move |shell, now| {
                shell.end_sink(router);
                shell.core.borrow_mut().close_router(now, router);
                shell.settle()
            });
            released(closing).await;
        }
    }
}

async fn create_on(
    part: &Part,
    options: WebRtcTransportOptions,
) -> Result<Result<TransportInfo, TransportRefused>, CreateTransportError> {
    let router = part.router;
    let created = match part.worker.place().port_mode {
        PortMode::PerWorker => {
            part.worker
                .call(move |shell, now| {
                    let created = shell.core.borrow_mut().create_transport(now, router, options, None);
                    // Counts the transport.
                    shell.settle();
                    created
                })
                .await?
        }
        PortMode::PerTransport => create_on_own_port(part, options).await?,
    };
    Ok(created)
}

async fn create_on_own_port(
    part: &Part,
    options: WebRtcTransportOptions,
) -> Result<Result<TransportInfo, TransportRefused>, CreateTransportError> {
    if part.worker.is_gone() {
        return Err(WorkerGone.into());
    }
    let place = part.worker.place();
    let ports = Arc::clone(&place.ports);
    let (port, sockets) = ports
        .bind(&place.addresses(), options.enable_tcp)
        .map_err(|_| CreateTransportError::NoFreePort { min: ports.min, max: ports.max })?;
    let own_port = OwnPort::new(move || ports.release(port));
    let (router, addresses) = (part.router, place.local_addresses(port));
    let created = part
        .worker
        .call(move |shell, now| {
            let created = shell.core.borrow_mut().create_transport(now, router, options, Some(addresses));
            if let Ok(info) = &created {
                shell.open_own_port(info.id, own_port, sockets);
            }
            shell.settle();
            created
        })
        .await?;
    Ok(created)
}
