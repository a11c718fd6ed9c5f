//! A producer's packets as they are given to its consumers: read from its store once for all of them.

use std::time::Instant;

use arrayvec::ArrayVec;

use super::media::Incoming;
use crate::consumer::Candidate;
use crate::producer::packet_store::StoredPacket;
use crate::producer::receive_stream::SourceReport;
use crate::producer::{Arrived, MAX_GATHERED, Producer, RedPacket};
use crate::rtp::codecs::FrameInfo;
use crate::rtp::extensions::ExtensionValues;
use crate::rtp::header::RtpHeader;
use crate::rtp::writer::SourcePacket;

/// A packet for the consumers of its producer.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) candidate: Candidate<'a>,
    pub(super) incoming: Incoming<'a>,
    /// It goes on from the piece before it.
    pub(super) goes_on: bool,
}

/// A stored packet as it was when it came.
pub(super) struct StoredPiece<'a> {
    arrived: Arrived,
    /// Padding is in no store.
    stored: Option<&'a StoredPacket>,
    red: Option<RedPacket>,
    extensions: ExtensionValues,
}

impl<'a> Piece<'a> {
    pub(super) fn of(
        encoding: usize,
        incoming: Incoming<'a>,
        reports: &'a dyn Fn(usize) -> Option<SourceReport>,
    ) -> Self {
        Self { candidate: candidate(encoding, &incoming, reports), incoming, goes_on: false }
    }

    /// Of packets in the order of their coming.
    pub(super) fn row(
        stored: impl Iterator<Item = &'a StoredPiece<'a>>,
        reports: &'a dyn Fn(usize) -> Option<SourceReport>,
    ) -> ArrayVec<Self, MAX_GATHERED> {
        let mut row = ArrayVec::<Self, MAX_GATHERED>::new();
        for mut piece in stored.map(|stored| stored.piece(reports)).take(MAX_GATHERED) {
            piece.goes_on = !piece.incoming.reveals
                && row.last().is_some_and(|before| piece.candidate.goes_on_from(&before.candidate));
            row.push(piece);
        }
        row
    }
}

impl<'a> StoredPiece<'a> {
    /// None: it is gone.
    pub(super) fn read(now: Instant, producer: &'a Producer, arrived: &Arrived) -> Option<Self> {
        if arrived.is_empty {
            let extensions = ExtensionValues::default();
            return Some(Self { arrived: *arrived, stored: None, red: None, extensions });
        }
        let stream = producer.encodings.get(arrived.encoding)?.stream.as_ref()?;
        Self::of_stored(producer, stream.store.get(now, arrived.extended)?, arrived.encoding).map(|piece| {
            let Arrived { restarted, reveals, .. } = *arrived;
            Self { arrived: Arrived { restarted, reveals, ..piece.arrived }, ..piece }
        })
    }

    /// A packet that came some time ago.
    fn of_stored(producer: &Producer, stored: &'a StoredPacket, encoding: usize) -> Option<Self> {
        let header = RtpHeader::parse(stored.bytes()).ok()?;
        let arrived = Arrived {
            encoding,
            media: producer.payloads.media(header.payload_type)?,
            extended: stored.extended(),
            timestamp: stored.header().timestamp,
            is_empty: false,
            restarted: false,
            reveals: false,
        };
        let red = producer.payloads.red(header.payload_type, stored.payload()).ok().flatten();
        let extensions = producer.extension_ids.parse(stored.bytes(), &header);
        Some(Self { arrived, stored: Some(stored), red, extensions })
    }

    fn piece<'b>(&'b self, reports: &'b dyn Fn(usize) -> Option<SourceReport>) -> Piece<'b> {
        Piece::of(self.arrived.encoding, self.incoming(), reports)
    }

    fn incoming(&self) -> Incoming<'_> {
        let Self { arrived, stored, red, extensions } = self;
        let (bytes, payload) = stored.map_or((&[][..], &[][..]), |stored| (stored.bytes(), stored.payload()));
        let header = stored.map(StoredPacket::header);
        Incoming {
            extended: arrived.extended,
            timestamp: arrived.timestamp,
            marker: header.is_some_and(|header| header.marker),
            restarted: arrived.restarted,
            media: arrived.media,
            red: *red,
            frame: header.map_or(FrameInfo::NONE, |header| header.frame),
            reveals: arrived.reveals,
            padding: header.map_or(0, |header| header.padding),
            source: SourcePacket { packet: bytes, extensions, payload },
        }
    }
}

/// Does something with a stored packet as it was when it came.
pub(super) fn with_stored(producer: &Producer, stored: &StoredPacket, act: impl FnOnce(&Incoming<'_>)) {
    // Which encoding it is of only matters to who gives it out.
    if let Some(piece) = StoredPiece::of_stored(producer, stored, 0) {
        act(&piece.incoming());
    }
}

/// The latest sender report of an encoding.
pub(super) fn source_report(producer: &Producer, encoding: usize) -> Option<SourceReport> {
    producer.encodings.get(encoding)?.stream.as_ref()?.receive.source_report()
}

/// A packet as consumers look at it.
pub(super) fn candidate<'a>(
    encoding: usize,
    incoming: &Incoming<'_>,
    reports: &'a dyn Fn(usize) -> Option<SourceReport>,
) -> Candidate<'a> {
    Candidate {
        encoding,
        media: incoming.media,
        extended: incoming.extended,
        timestamp: incoming.timestamp,
        marker: incoming.marker,
        frame: incoming.frame,
        is_empty: incoming.source.payload.is_empty(),
        restarted: incoming.restarted,
        reports,
    }
}
