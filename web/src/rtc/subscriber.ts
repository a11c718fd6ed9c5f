import type { types } from 'mediasoup-client';
import { Emitter } from './emitter';
import { spatialLayerFor, spatialLayersOf } from './layers';
import type { SuspendReason } from './protocol';
import type { Signalling } from './signalling';

interface SubscriberEvents extends Record<string, unknown> {
  /** The set of received tracks changed, or what flows of them. */
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

/** What the server has made for us of one producer. */
interface Subscription {
  consumerId: string;
  /** Undefined until the browser has it too. */
  consumer: types.Consumer | undefined;
  spatialLayers: number;
  /** The layer that was asked for last; the server begins with the highest. */
  preferredLayer: number;
  suspended: SuspendReason | null;
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
  readonly #subscriptions = new Map<string, Subscription>();

  constructor(options: SubscriberOptions) {
    super();
    this.#options = options;
  }

  /** The received track of a producer, once there is one. */
  track(producerId: string): MediaStreamTrack | undefined {
    return this.#subscriptions.get(producerId)?.consumer?.track;
  }

  /** Why the server sends nothing of a producer for the moment. */
  suspended(producerId: string): SuspendReason | null {
    return this.#subscriptions.get(producerId)?.suspended ?? null;
  }

  setWanted(producerIds: readonly string[]): void {
    this.#wanted = new Set(producerIds);
    for (const [producerId, { consumer }] of this.#subscriptions) {
      if (!this.#wanted.has(producerId)) {
        consumer?.close();
        this.#subscriptions.delete(producerId);
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
    for (const [producerId, subscription] of this.#subscriptions) {
      if (subscription.consumerId === consumerId) {
        subscription.consumer?.close();
        this.#subscriptions.delete(producerId);
        this.emit('changed', undefined);
      }
    }
  }

  /** The server suspends a consumer, or goes on with it. */
  setSuspended(consumerId: string, reason: SuspendReason | null): void {
    for (const subscription of this.#subscriptions.values()) {
      if (subscription.consumerId === consumerId && subscription.suspended !== reason) {
        subscription.suspended = reason;
        this.emit('changed', undefined);
      }
    }
  }

  /** Asks for the layer that fits a picture of so many device pixels of height. */
  setViewHeight(producerId: string, heightPx: number): void {
    const subscription = this.#subscriptions.get(producerId);
    if (!subscription) {
      return;
    }
    const spatialLayer = spatialLayerFor(heightPx, subscription.spatialLayers);
    if (spatialLayer !== subscription.preferredLayer) {
      subscription.preferredLayer = spatialLayer;
      const { consumerId } = subscription;
      this.#options.signalling.notify('setPreferredLayers', { consumerId, spatialLayer });
    }
  }

  async #consume(producerId: string): Promise<void> {
    const { signalling, transport, roomId, rtpCapabilities } = this.#options;
    try {
      const answer = await signalling.request('consume', {
        roomId,
        transportId: transport.id,
        producerId,
        rtpCapabilities,
      });
      if (!this.#isWanted(producerId)) {
        return;
      }
      const { id, kind, rtpParameters } = answer;
      const spatialLayers = spatialLayersOf(rtpParameters);
      // From here on the server tells of it, whether the browser is ready or not.
      const subscription: Subscription = {
        consumerId: id,
        consumer: undefined,
        spatialLayers,
        preferredLayer: spatialLayers - 1,
        suspended: null,
      };
      this.#subscriptions.set(producerId, subscription);
      const consumer = await transport.consume({ id, producerId, kind, rtpParameters });
      if (this.#subscriptions.get(producerId) !== subscription || transport.closed) {
        consumer.close();
        return;
      }
      subscription.consumer = consumer;
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
