import { CallError, asCallError } from './errors';
import { Emitter } from './emitter';
import type { MediaSource } from './protocol';
import type { LocalTrack } from './publisher';
import { RoomConnection, type DeviceFactory, type Identity, type Participant } from './room-connection';
import type { Signalling } from './signalling';

/**
 * - `connecting`: never been in the room yet
 * - `joined`: in the room
 * - `reconnecting`: was in the room, tries to get back by itself
 * - `failed`: gave up; {@link CallSession.retry} begins again
 * - `left`: the end
 */
export type CallPhase = 'connecting' | 'joined' | 'reconnecting' | 'failed' | 'left';

export interface CallSnapshot {
  phase: CallPhase;
  /** The last attempt to reach the server failed. */
  unreachable: boolean;
  participants: readonly Participant[];
  /** The user who speaks, maybe oneself; null: nobody, as far as the server tells. */
  activeSpeaker: { userId: string; isSelf: boolean } | null;
  /** Set in phase `failed`. */
  error: CallError | null;
}

export const INITIAL_SNAPSHOT: CallSnapshot = {
  phase: 'connecting',
  unreachable: false,
  participants: [],
  activeSpeaker: null,
  error: null,
};

interface CallSessionEvents extends Record<string, unknown> {
  snapshot: CallSnapshot;
  /** A source of ours could not be sent; the call goes on. */
  sendFailed: { source: MediaSource; error: unknown };
  /** An administrator has muted a source of ours. */
  muted: { source: MediaSource };
}

/** So many failures in a row of joining or of the media connection (the server itself being reachable) end the call. */
export const FAILURES_MAX = 3;
/** Wait before the n-th new attempt: doubled each time, so that a broken network is not hammered. */
export const RETRY_DELAY_FIRST_MS = 500;

/**
 * One call of one user in one room, over as many connections as it takes. It holds what the user wants to send and
 * gives it to each new {@link RoomConnection}.
 */
export class CallSession extends Emitter<CallSessionEvents> {
  readonly #signalling: Signalling;
  readonly #identity: Identity;
  readonly #createDevice: DeviceFactory;
  readonly #local = new Map<MediaSource, LocalTrack>();
  #snapshot = INITIAL_SNAPSHOT;
  #connection: RoomConnection | undefined;
  #failures = 0;
  #wasJoined = false;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(signalling: Signalling, identity: Identity, createDevice: DeviceFactory) {
    super();
    this.#signalling = signalling;
    this.#identity = identity;
    this.#createDevice = createDevice;
    signalling.on('connected', () => {
      this.#handleConnected();
    });
    signalling.on('disconnected', () => {
      this.#handleDisconnected();
    });
    signalling.on('unreachable', () => {
      this.#update({ unreachable: true });
    });
    signalling.on('denied', ({ message }) => {
      this.#end(new CallError('refused', message));
    });
    signalling.on('removed', () => {
      this.#end(new CallError('removed', 'An administrator has removed you from this room.'));
    });
    signalling.on('roomClosed', ({ reason }) => {
      // A room that is lost is made anew by whoever comes back first.
      if (reason === 'closed') {
        this.#end(new CallError('removed', 'An administrator has ended this call.'));
      }
    });
  }

  get snapshot(): CallSnapshot {
    return this.#snapshot;
  }

  start(): void {
    this.#signalling.connect();
  }

  /** What shall be sent of a source: now, and again after every reconnection. */
  setLocal(source: MediaSource, desired: LocalTrack): void {
    this.#local.set(source, desired);
    this.#connection?.setLocal(source, desired);
  }

  /** So many device pixels high is the picture of a producer shown; told again for each new track. */
  setViewHeight(producerId: string, heightPx: number): void {
    this.#connection?.setViewHeight(producerId, heightPx);
  }

  /** Begins again after `failed`. */
  retry(): void {
    if (this.#snapshot.phase === 'failed') {
      this.#failures = 0;
      this.#update({ phase: this.#wasJoined ? 'reconnecting' : 'connecting', error: null });
      this.#signalling.reconnect();
    }
  }

  leave(): void {
    if (this.#snapshot.phase === 'left') {
      return;
    }
    const { roomId, userId } = this.#identity;
    this.#signalling.notify('leaveRoom', { roomId, userId });
    this.#update({ phase: 'left', participants: [], activeSpeaker: null, error: null });
    this.#dropConnection();
    this.#signalling.close();
  }

  #handleConnected(): void {
    const { phase } = this.#snapshot;
    if (phase === 'left' || phase === 'failed') {
      return;
    }
    this.#dropConnection();
    this.#update({ unreachable: false });
    const connection = new RoomConnection(this.#signalling, this.#identity, this.#createDevice);
    this.#connection = connection;
    connection.on('participants', (participants) => {
      this.#update({ participants });
    });
    connection.on('activeSpeaker', (userId) => {
      this.#handleActiveSpeaker(userId);
    });
    connection.on('mediaConnected', () => {
      this.#failures = 0;
    });
    connection.on('mediaFailed', () => {
      this.#handleFailure(new CallError('media', 'no media connection to the server could be made'));
    });
    connection.on('sendFailed', (failure) => {
      this.emit('sendFailed', failure);
    });
    connection.on('muted', (muted) => {
      this.emit('muted', muted);
    });
    for (const [source, desired] of this.#local) {
      connection.setLocal(source, desired);
    }
    connection.join().then(
      () => {
        if (this.#connection === connection) {
          this.#wasJoined = true;
          this.#update({ phase: 'joined' });
        }
      },
      (error: unknown) => {
        if (this.#connection === connection) {
          this.#handleFailure(asCallError(error, 'media'));
        }
      },
    );
  }

  #handleActiveSpeaker(userId: string | null): void {
    if (userId !== (this.#snapshot.activeSpeaker?.userId ?? null)) {
      const isSelf = userId === this.#identity.userId;
      this.#update({ activeSpeaker: userId === null ? null : { userId, isSelf } });
    }
  }

  #handleDisconnected(): void {
    this.#dropConnection();
    if (this.#snapshot.phase === 'joined') {
      this.#update({ phase: 'reconnecting' });
    }
    // People are kept, so that the screen does not empty itself for a moment; their tracks have ended.
    this.#update({
      activeSpeaker: null,
      participants: this.#snapshot.participants.map((participant) => ({
        ...participant,
        media: participant.media.map((media) => ({ ...media, track: null })),
      })),
    });
  }

  #handleFailure(error: CallError): void {
    this.#dropConnection();
    // Asking again does not change a refusal, nor a browser. After a reconnection the server may just be starting.
    const isFinal = error.code === 'unsupported' || (error.code === 'refused' && !this.#wasJoined);
    this.#failures += 1;
    if (isFinal || this.#failures >= FAILURES_MAX) {
      this.#end(error);
      return;
    }
    this.#update({ phase: this.#wasJoined ? 'reconnecting' : 'connecting' });
    // A lost socket comes back by itself.
    if (error.code !== 'disconnected') {
      const delayMs = RETRY_DELAY_FIRST_MS * 2 ** (this.#failures - 1);
      this.#retryTimer = setTimeout(() => {
        this.#signalling.reconnect();
      }, delayMs);
    }
  }

  /** Gives up, until somebody says otherwise. */
  #end(error: CallError): void {
    this.#dropConnection();
    this.#update({ phase: 'failed', error });
    this.#signalling.disconnect();
  }

  #dropConnection(): void {
    clearTimeout(this.#retryTimer);
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.close();
  }

  #update(change: Partial<CallSnapshot>): void {
    if (this.#snapshot.phase === 'left') {
      return;
    }
    this.#snapshot = { ...this.#snapshot, ...change };
    this.emit('snapshot', this.#snapshot);
  }
}
