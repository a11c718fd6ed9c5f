import { Device } from 'mediasoup-client';
import { io } from 'socket.io-client';
import { CallSession } from './call-session';
import type { Identity } from './room-connection';
import { Signalling } from './signalling';

/** Reconnection attempts come at most this far apart: a server that is back is found within it. */
const RECONNECTION_DELAY_MAX_MS = 2000;

/** A session on the real socket and the real browser. Nothing happens before `start`. The token may be empty. */
export function openSession(identity: Identity, token: string): CallSession {
  const socket = io(import.meta.env.VITE_SERVER_URL ?? window.location.origin, {
    autoConnect: false,
    forceNew: true,
    // Long polling is for networks that break WebSockets.
    transports: ['websocket', 'polling'],
    tryAllTransports: true,
    reconnectionDelay: 500,
    reconnectionDelayMax: RECONNECTION_DELAY_MAX_MS,
    timeout: 5000,
    auth: (send) => {
      send(token === '' ? {} : { token });
    },
  });
  return new CallSession(new Signalling(socket), identity, () => Device.factory());
}
