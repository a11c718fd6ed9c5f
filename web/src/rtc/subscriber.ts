import type { types } from 'mediasoup-client';
import { Emitter } from './emitter';
import type { Signalling } from './signalling';

interface SubscriberEvents extends Record<string, unknown> {
  /** The set of received tracks changed. */
  changed: undefined;
  /** Known only from the answer to `consume`: the producer was paused before we came. */
  producerPaused: { producerId: string };
}

export interface SubscriberOptions {
  signalling: Signalling;
  transport: types.Transport;
  roomId: string;
  rtpCapabilities: types.RtpCapabilities;
}

/**
 * Keeps one consumer for each wanted producer. The wanted set may change at any time, also while an answer is awaited:
 * what is no longer wanted then is closed as soon as it exists.
 */
export class Subscriber extends Emitter<SubscriberEvents> {
  readonly #options: SubscriberOptions;
  #wanted = new Set<string>();
  /** Producers asked for: being consumed, consumed, or refused by the server. */
  readonly #asked = new Set<string>();
  readonly #consumers = new Map<string, types.Consumer>();

  constructor(options: SubscriberOptions) {
    super();
    this.#options = options;
  }

  /** The received track of a producer, once there is one. */
  track(producerId: string): MediaStreamTrack | undefined {
    return this.#consumers.get(producerId)?.track;
  }

  setWanted(producerIds: readonly string[]): void {
    this.#wanted = new Set(producerIds);
    for (const [producerId, consumer] of this.#consumers) {
      if (!this.#wanted.has(producerId)) {
        consumer.close();
        this.#consumers.delete(producerId);
      }
    }
    for (const producerId of this.#asked) {
      if (!this.#wanted.has(producerId)) {
        this.#asked.delete(producerId);
      }
    }
    for (const producerId of this.#wanted) {
      if (!this.#asked.has(producerId)) {
        this.#asked.add(producerId);
        void this.#consume(producerId);
      }
    }
  }

  handleConsumerClosed(consumerId: string): void {
    for (const [producerId, consumer] of this.#consumers) {
      if (consumer.id === consumerId) {
        consumer.close();
        this.#consumers.delete(producerId);
        this.emit('changed', undefined);
      }
    }
  }

  async #consume(producerId: string): Promise<void> {
    const { signalling, transport, roomId, rtpCapabilities } = this.#options;
    try {
      const answer = await signalling.request('consume', { roomId, transportId: transport.id, producerId, rtpCapabilities });
      if (!this.#isWanted(producerId)) {
        return;
      }
      const { id, kind, rtpParameters } = answer;
      const consumer = await transport.consume({ id, producerId, kind, rtpParameters });
      if (!this.#isWanted(producerId)) {
        consumer.close();
        return;
      }
      this.#consumers.set(producerId, consumer);
      if (answer.producerPaused === true) {
        this.emit('producerPaused', { producerId });
      }
      this.emit('changed', undefined);
      // Made paused: media must not arrive before the browser knows what to do with it.
      await signalling.request('resumeConsumer', { consumerId: id });
    } catch (error) {
      // One stream that cannot be had leaves the others alone; it stays asked for, so nothing loops. A lost
      // connection comes by here too, and then everything is made again.
      if (this.#isWanted(producerId)) {
        console.warn(`cannot receive producer ${producerId}`, error);
      }
    }
  }

  #isWanted(producerId: string): boolean {
    return this.#wanted.has(producerId) && !this.#options.transport.closed;
  }
}
