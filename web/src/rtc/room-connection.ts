import type { types } from 'mediasoup-client';
import { asCallError, CallError } from './errors';
import { Emitter } from './emitter';
import { SUSPEND_REASONS, type MediaSource, type SuspendReason } from './protocol';
import { Publisher, type LocalTrack } from './publisher';
import { Roster } from './roster';
import type { Signalling } from './signalling';
import { Subscriber } from './subscriber';

export interface RemoteMedia {
  producerId: string;
  source: MediaSource;
  paused: boolean;
  /** Why the server sends nothing of it for the moment, though it is not paused. */
  suspended: SuspendReason | null;
  /** Null until it is received. */
  track: MediaStreamTrack | null;
}

export interface Participant {
  userId: string;
  userName: string;
  media: readonly RemoteMedia[];
}

interface RoomConnectionEvents extends Record<string, unknown> {
  participants: readonly Participant[];
  /** The user who speaks; null: nobody. */
  activeSpeaker: string | null;
  /** Media flows (ICE and DTLS are through) in one direction at least. */
  mediaConnected: undefined;
  /** ICE or DTLS gave up: nothing but a new connection helps. */
  mediaFailed: undefined;
  /** A source of ours could not be sent. */
  sendFailed: { source: MediaSource; error: unknown };
  /** An administrator keeps a source of ours from being sent. */
  muted: { source: MediaSource };
}

export interface Identity {
  roomId: string;
  userId: string;
  userName: string;
}

export type DeviceFactory = () => Promise<types.Device>;

/** Everything that lives as long as one connection of the socket; after a reconnection there is a new one. */
export class RoomConnection extends Emitter<RoomConnectionEvents> {
  readonly #signalling: Signalling;
  readonly #identity: Identity;
  readonly #createDevice: DeviceFactory;
  readonly #roster: Roster;
  readonly #unsubscribe: (() => void)[];
  readonly #transports: types.Transport[] = [];
  readonly #local = new Map<MediaSource, LocalTrack>();
  #subscriber: Subscriber | undefined;
  #publisher: Publisher | undefined;
  #speaker: string | null = null;
  #isSilent = false;
  #closed = false;

  constructor(signalling: Signalling, identity: Identity, createDevice: DeviceFactory) {
    super();
    this.#signalling = signalling;
    this.#identity = identity;
    this.#createDevice = createDevice;
    this.#roster = new Roster(identity.userId);
    this.#unsubscribe = this.#listen();
  }

  /**
   * Joins the room and makes both transports; media that is already known to be wanted follows by itself.
   * @throws CallError
   */
  async join(): Promise<void> {
    const { roomId } = this.#identity;
    const device = await this.#createDevice().catch((error: unknown) => {
      throw asCallError(error, 'unsupported');
    });
    const { rtpCapabilities } = await this.#signalling.request('getRouterRtpCapabilities', { roomId });
    this.#assertOpen();
    await device.load({ routerRtpCapabilities: rtpCapabilities });
    this.#assertOpen();
    const { participants, activeProducers } = await this.#signalling.request('joinRoom', this.#identity);
    this.#assertOpen();
    this.#roster.seed(participants, activeProducers);
    this.#publishParticipants();

    const [sendParameters, recvParameters] = await Promise.all([
      this.#signalling.request('createWebRtcTransport', { roomId, direction: 'send' }),
      this.#signalling.request('createWebRtcTransport', { roomId, direction: 'recv' }),
    ]);
    this.#assertOpen();
    this.#openRecvTransport(device, device.createRecvTransport(recvParameters));
    this.#openSendTransport(device, device.createSendTransport(sendParameters));
  }

  /** What shall be sent of a source, from now on. */
  setLocal(source: MediaSource, desired: LocalTrack): void {
    this.#local.set(source, desired);
    this.#publisher?.set(source, desired);
  }

  /** So many device pixels high is the picture of a producer shown: the server need not send more. */
  setViewHeight(producerId: string, heightPx: number): void {
    this.#subscriber?.setViewHeight(producerId, heightPx);
  }

  close(): void {
    this.#closed = true;
    for (const unsubscribe of this.#unsubscribe) {
      unsubscribe();
    }
    for (const transport of this.#transports) {
      transport.close();
    }
  }

  #listen(): (() => void)[] {
    const changed = (): void => {
      this.#subscriber?.setWanted(this.#roster.producerIds);
      this.#publishParticipants();
    };
    const roster = this.#roster;
    const signalling = this.#signalling;
    return [
      signalling.on('userJoined', (event) => {
        roster.userJoined(event);
        changed();
      }),
      signalling.on('userLeft', (event) => {
        roster.userLeft(event);
        changed();
      }),
      signalling.on('newProducer', (event) => {
        roster.producerAdded(event);
        changed();
      }),
      signalling.on('producerClosed', ({ producerId }) => {
        this.#tellMuted(producerId);
        this.#publisher?.handleClosed(producerId);
        roster.producerClosed(producerId);
        changed();
      }),
      signalling.on('producerMuted', ({ producerId }) => {
        this.#tellMuted(producerId);
      }),
      signalling.on('producerPaused', ({ producerId }) => {
        roster.producerPaused(producerId, true);
        changed();
      }),
      signalling.on('producerResumed', ({ producerId }) => {
        roster.producerPaused(producerId, false);
        changed();
      }),
      signalling.on('consumerClosed', ({ consumerId }) => {
        this.#subscriber?.handleConsumerClosed(consumerId);
      }),
      signalling.on('consumerPaused', ({ consumerId, reason }) => {
        // That a producer is paused is told of the producer too.
        const suspended = SUSPEND_REASONS.find((known) => known === reason);
        this.#subscriber?.setSuspended(consumerId, suspended ?? null);
      }),
      signalling.on('consumerResumed', ({ consumerId }) => {
        this.#subscriber?.setSuspended(consumerId, null);
      }),
      signalling.on('producerLayersWanted', ({ producerId, spatialLayers }) => {
        this.#publisher?.setWantedLayers(producerId, spatialLayers);
      }),
      signalling.on('activeSpeaker', ({ userId }) => {
        this.#speaker = userId;
        this.#isSilent = false;
        this.#publishSpeaker();
      }),
      signalling.on('audioLevels', (levels) => {
        // Who spoke last stays the active speaker, also when they go on after a silence.
        this.#isSilent = levels.length === 0;
        this.#publishSpeaker();
      }),
    ];
  }

  #tellMuted(producerId: string): void {
    const source = this.#publisher?.sourceOf(producerId);
    if (source) {
      this.emit('muted', { source });
    }
  }

  #openRecvTransport(device: types.Device, transport: types.Transport): void {
    this.#openTransport(transport);
    const subscriber = new Subscriber({
      signalling: this.#signalling,
      transport,
      roomId: this.#identity.roomId,
      rtpCapabilities: device.recvRtpCapabilities,
    });
    subscriber.on('producerPaused', ({ producerId }) => {
      this.#roster.producerPaused(producerId, true);
    });
    subscriber.on('changed', () => {
      this.#publishParticipants();
    });
    this.#subscriber = subscriber;
    subscriber.setWanted(this.#roster.producerIds);
  }

  #openSendTransport(device: types.Device, transport: types.Transport): void {
    this.#openTransport(transport);
    transport.on('produce', ({ kind, rtpParameters, appData }, callback, errback) => {
      const event = appData['type'] === 'screen' ? 'startScreenShare' : 'produce';
      const { roomId } = this.#identity;
      this.#signalling
        .request(event, { roomId, transportId: transport.id, kind, rtpParameters, appData })
        .then(({ id }) => {
          callback({ id });
        })
        .catch(errback);
    });
    this.#publisher = new Publisher({
      signalling: this.#signalling,
      transport,
      roomId: this.#identity.roomId,
      videoCodec: device.sendRtpCapabilities.codecs?.find(({ mimeType }) => mimeType.toLowerCase() === 'video/vp8'),
    });
    this.#publisher.on('failed', (failure) => {
      this.emit('sendFailed', failure);
    });
    for (const [source, desired] of this.#local) {
      this.#publisher.set(source, desired);
    }
  }

  #openTransport(transport: types.Transport): void {
    this.#transports.push(transport);
    transport.on('connect', ({ dtlsParameters }, callback, errback) => {
      this.#signalling
        .request('connectWebRtcTransport', { roomId: this.#identity.roomId, transportId: transport.id, dtlsParameters })
        .then(() => {
          callback();
        })
        .catch((error: Error) => {
          errback(error);
          // Without this step ICE never begins, so no state change would tell.
          if (!this.#closed) {
            this.emit('mediaFailed', undefined);
          }
        });
    });
    transport.on('connectionstatechange', (state) => {
      if (this.#closed) {
        return;
      }
      if (state === 'failed') {
        this.emit('mediaFailed', undefined);
      } else if (state === 'connected') {
        this.emit('mediaConnected', undefined);
      }
    });
  }

  #publishParticipants(): void {
    if (this.#closed) {
      return;
    }
    this.emit(
      'participants',
      this.#roster.entries.map(({ userId, userName, producers }) => ({
        userId,
        userName,
        media: producers.map(({ producerId, source, paused }) => ({
          producerId,
          source,
          paused,
          suspended: this.#subscriber?.suspended(producerId) ?? null,
          track: this.#subscriber?.track(producerId) ?? null,
        })),
      })),
    );
  }

  #publishSpeaker(): void {
    this.emit('activeSpeaker', this.#isSilent ? null : this.#speaker);
  }

  #assertOpen(): void {
    if (this.#closed) {
      throw new CallError('disconnected', 'the connection was given up');
    }
  }
}
