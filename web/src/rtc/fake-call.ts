/** A call against the stand-ins of {@link ./fakes}, for unit tests only: one other person, Bob, who may have a camera. */
import { CallSession } from './call-session';
import { fakeDevices, FakeSocket, type FakeServer } from './fakes';
import { Signalling } from './signalling';

export const IDENTITY = { roomId: 'river', userId: 'me', userName: 'Me' };
export const BOB = { userId: 'bob', userName: 'Bob', socketId: 's-bob' };
export const CAMERA = { producerId: 'p-cam', userId: 'bob', kind: 'video', appData: {}, socketId: 's-bob' };

let ids = 0;

export function answer(event: string, payload: Record<string, unknown>): unknown {
  switch (event) {
    case 'getRouterRtpCapabilities':
      return { rtpCapabilities: {} };
    case 'joinRoom':
      return { participants: [], activeProducers: [] };
    case 'createWebRtcTransport':
      return { id: `t-${String(payload['direction'])}-${++ids}` };
    case 'produce':
    case 'startScreenShare':
      return { id: `own-${++ids}` };
    case 'consume':
      return {
        id: `c-${String(payload['producerId'])}`,
        producerId: payload['producerId'],
        kind: 'video',
        rtpParameters: { encodings: [{ ssrc: 1, scalabilityMode: 'L3T3' }] },
      };
    case 'resumeConsumer':
    case 'connectWebRtcTransport':
      return null;
    default:
      return undefined;
  }
}

/** Bob has been there with his camera before. */
export const withCamera: FakeServer = (event) =>
  event === 'joinRoom' ? { participants: [BOB], activeProducers: [CAMERA] } : undefined;

/** `override` answers what the usual answer is not wanted for; 'silence' leaves it to the test. */
export function setUp(override: FakeServer = () => undefined) {
  const socket = new FakeSocket((event, payload) => {
    const special = override(event, payload);
    return special === 'silence' ? undefined : (special ?? answer(event, payload));
  });
  const devices = fakeDevices();
  const session = new CallSession(new Signalling(socket), IDENTITY, devices.create);
  return { socket, devices, session };
}
