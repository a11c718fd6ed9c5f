import { CallError } from './errors';
import { Emitter } from './emitter';
import { SERVER_EVENTS, type Notices, type Requests, type ServerEvents } from './protocol';

/** The part of a `socket.io-client` socket that is used here; tests bring their own. */
export interface SocketLike {
  readonly connected: boolean;
  /** Whether it goes on trying to connect by itself. */
  readonly active: boolean;
  connect(): unknown;
  disconnect(): unknown;
  emit(event: string, ...args: unknown[]): unknown;
  on(event: string, listener: (...args: never[]) => void): unknown;
}

export interface SignallingEvents extends ServerEvents {
  /** The socket is up, for the first time or again: the server knows nothing about us yet. */
  connected: undefined;
  disconnected: { reason: string };
  /** One attempt to connect failed; further ones follow by themselves. */
  unreachable: { message: string };
  /** The server does not let us in, and trying again would not change that. */
  denied: { message: string };
}

/** An answer that has not come by then will not: even a busy server answers within a second. */
export const REQUEST_TIMEOUT_MS = 10_000;
/** A server that hung up politely (it restarts) is dialled again after this; socket.io itself would not. */
export const REDIAL_DELAY_MS = 500;

/**
 * Typed requests over one Socket.IO socket. Nothing is queued while the socket is down: a request of a lost
 * connection would reach a server that knows none of its ids.
 */
export class Signalling extends Emitter<SignallingEvents> {
  readonly #socket: SocketLike;
  readonly #pending = new Set<(error: CallError) => void>();
  #redial: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(socket: SocketLike) {
    super();
    this.#socket = socket;
    socket.on('connect', () => {
      this.emit('connected', undefined);
    });
    socket.on('connect_error', (error: Error) => {
      this.emit(socket.active ? 'unreachable' : 'denied', { message: error.message });
    });
    socket.on('disconnect', (reason: string) => {
      this.#handleDisconnect(reason);
    });
    for (const name of SERVER_EVENTS) {
      socket.on(name, (payload: never) => {
        this.emit(name, payload);
      });
    }
  }

  connect(): void {
    this.#socket.connect();
  }

  /** Drops the connection and dials again: the server forgets this peer and we begin afresh. */
  reconnect(): void {
    this.disconnect();
    if (!this.#closed) {
      this.#socket.connect();
    }
  }

  /** Hangs up until `reconnect`: the server forgets this peer. */
  disconnect(): void {
    clearTimeout(this.#redial);
    this.#socket.disconnect();
  }

  close(): void {
    this.#closed = true;
    this.disconnect();
  }

  /** Sends and awaits the answer. @throws CallError `refused`, `timeout` or `disconnected` */
  request<Name extends keyof Requests>(
    event: Name,
    payload: Requests[Name]['payload'],
  ): Promise<Requests[Name]['ack']> {
    return new Promise((resolve, reject) => {
      if (!this.#socket.connected) {
        reject(new CallError('disconnected', `${event}: not connected`));
        return;
      }
      const settle = (): void => {
        clearTimeout(timer);
        this.#pending.delete(fail);
      };
      const fail = (error: CallError): void => {
        settle();
        reject(error);
      };
      const timer = setTimeout(() => {
        fail(new CallError('timeout', `${event}: the server did not answer`));
      }, REQUEST_TIMEOUT_MS);
      this.#pending.add(fail);
      this.#socket.emit(event, payload, (ack: unknown) => {
        const error = errorOf(ack);
        if (error !== undefined) {
          fail(new CallError('refused', error));
          return;
        }
        settle();
        // The one place where answers get their types: the server is ours, and tested against them.
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion
        resolve(ack as Requests[Name]['ack']);
      });
    });
  }

  /** Sends without awaiting anything; lost if the socket is down. */
  notify<Name extends keyof Notices>(event: Name, payload: Notices[Name]): void {
    if (this.#socket.connected) {
      this.#socket.emit(event, payload);
    }
  }

  #handleDisconnect(reason: string): void {
    for (const fail of Array.from(this.#pending)) {
      fail(new CallError('disconnected', 'the connection to the server was lost'));
    }
    if (this.#closed) {
      return;
    }
    this.emit('disconnected', { reason });
    if (reason === 'io server disconnect') {
      clearTimeout(this.#redial);
      this.#redial = setTimeout(() => this.#socket.connect(), REDIAL_DELAY_MS);
    }
  }
}

function errorOf(ack: unknown): string | undefined {
  if (typeof ack !== 'object' || ack === null || !('error' in ack) || ack.error === undefined || ack.error === null) {
    return undefined;
  }
  return typeof ack.error === 'string' ? ack.error : JSON.stringify(ack.error);
}
