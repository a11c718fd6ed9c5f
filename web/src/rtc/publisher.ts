import type { types } from 'mediasoup-client';
import { Emitter } from './emitter';
import { sendLayers } from './layers';
import type { MediaSource } from './protocol';
import type { Signalling } from './signalling';

/** What shall be sent of one source. */
export interface LocalTrack {
  /** Null while the device is released (camera off) or nothing is shared. */
  track: MediaStreamTrack | null;
  /** False: others see the source as paused. */
  enabled: boolean;
}

export interface PublisherOptions {
  signalling: Signalling;
  transport: types.Transport;
  roomId: string;
  /** VP8 if both sides have it: one encoding that every browser decodes. */
  videoCodec: types.RtpCodecCapability | undefined;
}

interface PublisherEvents extends Record<string, unknown> {
  /** A source could not be sent, or not changed; another `set` tries again. */
  failed: { source: MediaSource; error: unknown };
}

interface Slot {
  desired: LocalTrack;
  producer: types.Producer | undefined;
  /** What the others were told last. */
  announcedPaused: boolean;
  running: boolean;
  dirty: boolean;
}

/** Each half as high and wide as the next, which is enough for a sharp 720p at 30 frames a second. */
const CAMERA_ENCODINGS: types.RtpEncodingParameters[] = [
  { scaleResolutionDownBy: 4, maxBitrate: 150_000, scalabilityMode: 'L1T3' },
  { scaleResolutionDownBy: 2, maxBitrate: 500_000, scalabilityMode: 'L1T3' },
  { scaleResolutionDownBy: 1, maxBitrate: 1_500_000, scalabilityMode: 'L1T3' },
];
/** Text must stay readable. */
const SCREEN_BITRATE_MAX_BPS = 2_500_000;
/** Where the encoder begins, so that the first seconds are not a blur. */
const START_BITRATE_KBPS = 1000;

/**
 * Keeps what is sent equal to what is desired, one step at a time per source: toggling faster than the server answers
 * skips the states in between.
 */
export class Publisher extends Emitter<PublisherEvents> {
  readonly #options: PublisherOptions;
  readonly #slots = new Map<MediaSource, Slot>();
  /** By producer: the spatial layers that anybody uses. All, until the server has said something else. */
  readonly #wantedLayers = new Map<string, readonly number[]>();

  constructor(options: PublisherOptions) {
    super();
    this.#options = options;
  }

  set(source: MediaSource, desired: LocalTrack): void {
    const slot = this.#slots.get(source) ?? {
      desired,
      producer: undefined,
      announcedPaused: false,
      running: false,
      dirty: false,
    };
    slot.desired = desired;
    slot.dirty = true;
    this.#slots.set(source, slot);
    void this.#run(source, slot);
  }

  /** The server says which layers of a producer are used; possibly before `produce` is done here. */
  setWantedLayers(producerId: string, spatialLayers: readonly number[]): void {
    this.#wantedLayers.set(producerId, spatialLayers);
    for (const [source, slot] of this.#slots) {
      if (slot.producer?.id === producerId) {
        slot.dirty = true;
        void this.#run(source, slot);
      }
    }
  }

  /** Which source a producer sends, if it is one of ours. */
  sourceOf(producerId: string): MediaSource | undefined {
    return Array.from(this.#slots).find(([, slot]) => slot.producer?.id === producerId)?.[0];
  }

  /** The server has closed a producer. To send its source again another is made. */
  handleClosed(producerId: string): void {
    for (const { producer } of this.#slots.values()) {
      if (producer?.id === producerId) {
        producer.close();
      }
    }
  }

  async #run(source: MediaSource, slot: Slot): Promise<void> {
    if (slot.running) {
      return;
    }
    slot.running = true;
    while (slot.dirty && !this.#options.transport.closed) {
      slot.dirty = false;
      try {
        // Steps of one source are in order on purpose.
        // oxlint-disable-next-line no-await-in-loop
        await this.#step(source, slot);
      } catch (error) {
        if (!this.#options.transport.closed) {
          this.emit('failed', { source, error });
        }
      }
    }
    slot.running = false;
  }

  async #step(source: MediaSource, slot: Slot): Promise<void> {
    const { track, enabled } = slot.desired;
    if (slot.producer?.closed === true) {
      this.#wantedLayers.delete(slot.producer.id);
      slot.producer = undefined;
    }
    if (!slot.producer) {
      if (!track || track.readyState === 'ended') {
        return;
      }
      slot.producer = await this.#options.transport.produce({
        track,
        // The tracks belong to whoever captured them.
        stopTracks: false,
        appData: { type: source },
        ...this.#encoding(source, track),
      });
      slot.announcedPaused = false;
    } else if (!track && isScreen(source)) {
      this.#close(source, slot, slot.producer);
      return;
    } else if (track !== slot.producer.track) {
      if (!track) {
        this.#setPaused(slot, slot.producer, true);
      }
      await slot.producer.replaceTrack({ track });
    }
    // `desired` may be newer than what this step began with; then another step follows.
    this.#setPaused(slot, slot.producer, !enabled || !track);
    // Here and not as the news comes: changes of one sender must not overlap.
    const layers = this.#wantedLayers.get(slot.producer.id);
    // The first word to somebody who comes must not be lost; silence costs next to nothing anyway.
    if (layers && slot.producer.kind === 'video' && slot.producer.rtpSender) {
      await sendLayers(slot.producer.rtpSender, layers);
    }
  }

  #setPaused(slot: Slot, producer: types.Producer, paused: boolean): void {
    if (paused && !producer.paused) {
      producer.pause();
    } else if (!paused && producer.paused) {
      producer.resume();
    }
    if (slot.announcedPaused !== paused) {
      slot.announcedPaused = paused;
      const { signalling, roomId } = this.#options;
      const notice = { producerId: producer.id, roomId, kind: producer.kind };
      signalling.notify(paused ? 'pauseProducer' : 'resumeProducer', notice);
    }
  }

  #close(source: MediaSource, slot: Slot, producer: types.Producer): void {
    const { signalling, roomId } = this.#options;
    producer.close();
    slot.producer = undefined;
    this.#wantedLayers.delete(producer.id);
    signalling.notify(source === 'screen' ? 'stopScreenShare' : 'producerClosed', { producerId: producer.id, roomId });
  }

  #encoding(source: MediaSource, track: MediaStreamTrack): Partial<types.ProducerOptions> {
    if (track.kind === 'audio') {
      return { codecOptions: { opusDtx: true, opusFec: true } };
    }
    const { videoCodec } = this.#options;
    return {
      encodings: isScreen(source) ? [{ maxBitrate: SCREEN_BITRATE_MAX_BPS }] : CAMERA_ENCODINGS,
      codecOptions: { videoGoogleStartBitrate: START_BITRATE_KBPS },
      ...(videoCodec && { codec: videoCodec }),
    };
  }
}

function isScreen(source: MediaSource): boolean {
  return source === 'screen' || source === 'screen-audio';
}
