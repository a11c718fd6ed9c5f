import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CallSession, FAILURES_MAX } from './call-session';
import { fakeDevices, FakeSocket, fakeTrack, settle, type FakeServer } from './fakes';
import { REQUEST_TIMEOUT_MS, Signalling } from './signalling';

const IDENTITY = { roomId: 'river', userId: 'me', userName: 'Me' };
const BOB = { userId: 'bob', userName: 'Bob', socketId: 's-bob' };
const CAMERA = { producerId: 'p-cam', userId: 'bob', kind: 'video', appData: {}, socketId: 's-bob' };

let ids = 0;

function answer(event: string, payload: Record<string, unknown>): unknown {
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

const withCamera: FakeServer = (event) =>
  event === 'joinRoom' ? { participants: [BOB], activeProducers: [CAMERA] } : undefined;

function setUp(override: FakeServer = () => undefined) {
  const socket = new FakeSocket((event, payload) => {
    const special = override(event, payload);
    return special === 'silence' ? undefined : (special ?? answer(event, payload));
  });
  const devices = fakeDevices();
  const session = new CallSession(new Signalling(socket), IDENTITY, devices.create);
  return { socket, devices, session };
}

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

describe('joining', () => {
  it('joins the room and makes one transport for each direction', async () => {
    const { socket, session } = setUp();
    session.start();
    await settle();
    expect(session.snapshot.phase).toBe('joined');
    expect(socket.eventsSent('joinRoom').map(({ payload }) => payload)).toEqual([IDENTITY]);
    expect(socket.eventsSent('createWebRtcTransport').map(({ payload }) => payload['direction'])).toEqual([
      'send',
      'recv',
    ]);
  });

  it('receives what was published before it came, and resumes it', async () => {
    const { socket, session } = setUp((event) =>
      event === 'joinRoom' ? { participants: [BOB], activeProducers: [CAMERA] } : undefined,
    );
    session.start();
    await settle();
    const [bob] = session.snapshot.participants;
    expect(bob?.userName).toBe('Bob');
    expect(bob?.media).toMatchObject([{ producerId: 'p-cam', source: 'camera', paused: false }]);
    expect(bob?.media[0]?.track).not.toBeNull();
    expect(socket.eventsSent('resumeConsumer').map(({ payload }) => payload)).toEqual([{ consumerId: 'c-p-cam' }]);
  });

  it('shows a producer that was paused before it came as paused', async () => {
    const { session } = setUp((event) => {
      if (event === 'joinRoom') {
        return { participants: [BOB], activeProducers: [CAMERA] };
      }
      return event === 'consume' ? { id: 'c', kind: 'video', rtpParameters: {}, producerPaused: true } : undefined;
    });
    session.start();
    await settle();
    expect(session.snapshot.participants[0]?.media[0]?.paused).toBe(true);
  });

  it('consumes a producer that is announced while the join is under way, once', async () => {
    const { socket, session } = setUp((event) => (event === 'createWebRtcTransport' ? 'silence' : undefined));
    session.start();
    await settle();
    socket.receive('newProducer', CAMERA);
    await settle();
    expect(socket.eventsSent('consume')).toHaveLength(0);
    for (const { ack, payload } of socket.eventsSent('createWebRtcTransport')) {
      ack?.(answer('createWebRtcTransport', payload));
    }
    await settle();
    socket.receive('newProducer', CAMERA);
    await settle();
    expect(socket.eventsSent('consume')).toHaveLength(1);
  });

  it('does not show what closed before the join answer that still lists it', async () => {
    const { socket, session } = setUp((event) => (event === 'joinRoom' ? 'silence' : undefined));
    session.start();
    await settle();
    socket.receive('producerClosed', { producerId: 'p-cam', userId: 'bob' });
    socket.receive('userLeft', { userId: 'bob', socketId: 's-bob' });
    socket.eventsSent('joinRoom')[0]?.ack?.({ participants: [BOB], activeProducers: [] });
    await settle();
    expect(session.snapshot.participants).toEqual([]);
    expect(socket.eventsSent('consume')).toHaveLength(0);
  });

  it('drops the answer to a consume whose producer has closed meanwhile', async () => {
    const { socket, session, devices } = setUp((event) => (event === 'consume' ? 'silence' : undefined));
    session.start();
    await settle();
    socket.receive('newProducer', CAMERA);
    socket.receive('producerClosed', { producerId: 'p-cam' });
    socket.eventsSent('consume')[0]?.ack?.({ id: 'c', kind: 'video', rtpParameters: {} });
    await settle();
    expect(devices.made[0]?.recv?.consumers).toHaveLength(0);
    expect(session.snapshot.participants).toEqual([]);
  });

  it('ends with the server’s words when it is refused', async () => {
    const { session } = setUp((event) => (event === 'joinRoom' ? { error: 'Room not found' } : undefined));
    session.start();
    await settle();
    expect(session.snapshot.phase).toBe('failed');
    expect(session.snapshot.error).toMatchObject({ code: 'refused', message: 'Room not found' });
  });

  it('keeps trying while the server cannot be reached, and says so', async () => {
    const { socket, session } = setUp();
    socket.isServerUp = false;
    session.start();
    expect(session.snapshot).toMatchObject({ phase: 'connecting', unreachable: true });
    socket.comeUp();
    await settle();
    expect(session.snapshot).toMatchObject({ phase: 'joined', unreachable: false });
  });

  it('tries again when the server does not answer', async () => {
    let isDeaf = true;
    const { socket, session } = setUp((event) => (event === 'joinRoom' && isDeaf ? 'silence' : undefined));
    session.start();
    await settle();
    isDeaf = false;
    await vi.advanceTimersByTimeAsync(REQUEST_TIMEOUT_MS + 1000);
    expect(socket.eventsSent('joinRoom')).toHaveLength(2);
    expect(session.snapshot.phase).toBe('joined');
  });
});

describe('leaving', () => {
  it('tells the server, closes everything and stays silent', async () => {
    const { socket, session, devices } = setUp();
    session.start();
    await settle();
    session.leave();
    expect(socket.eventsSent('leaveRoom').map(({ payload }) => payload)).toEqual([{ roomId: 'river', userId: 'me' }]);
    expect(socket.connected).toBe(false);
    expect(devices.made[0]?.send?.closed).toBe(true);
    expect(devices.made[0]?.recv?.closed).toBe(true);
    const sent = socket.sent.length;
    socket.receive('newProducer', CAMERA);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(socket.sent).toHaveLength(sent);
    expect(session.snapshot.phase).toBe('left');
  });

  it('makes no transports when it happens during the join', async () => {
    const { socket, session, devices } = setUp((event) => (event === 'joinRoom' ? 'silence' : undefined));
    session.start();
    await settle();
    session.leave();
    socket.eventsSent('joinRoom')[0]?.ack?.({ participants: [BOB], activeProducers: [CAMERA] });
    await settle();
    expect(devices.made[0]?.send).toBeUndefined();
    expect(session.snapshot).toMatchObject({ phase: 'left', participants: [] });
  });
});

describe('reconnection', () => {
  it('rejoins a server that has forgotten everything, and publishes again', async () => {
    const { socket, session, devices } = setUp((event) =>
      event === 'joinRoom' ? { participants: [BOB], activeProducers: [CAMERA] } : undefined,
    );
    const camera = fakeTrack('video');
    session.setLocal('camera', { track: camera, enabled: true });
    session.start();
    await settle();

    socket.goDown('transport close');
    expect(session.snapshot.phase).toBe('reconnecting');
    expect(session.snapshot.participants).toMatchObject([
      { userName: 'Bob', media: [{ producerId: 'p-cam', track: null }] },
    ]);
    expect(devices.made[0]?.send?.closed).toBe(true);
    await vi.advanceTimersByTimeAsync(10_000);

    socket.comeUp();
    await settle();
    expect(session.snapshot.phase).toBe('joined');
    expect(socket.eventsSent('joinRoom')).toHaveLength(2);
    expect(devices.made).toHaveLength(2);
    expect(devices.made[1]?.send?.producers.map(({ track }) => track)).toEqual([camera]);
    expect(devices.made[1]?.recv?.consumers).toHaveLength(1);
  });

  it('dials again after a server that said goodbye', async () => {
    const { socket, session } = setUp();
    session.start();
    await settle();
    socket.goDown('io server disconnect');
    await vi.advanceTimersByTimeAsync(1000);
    expect(socket.connects).toBe(2);
    expect(session.snapshot.phase).toBe('joined');
  });

  it('begins afresh when the media connection fails', async () => {
    const { socket, session, devices } = setUp();
    session.start();
    await settle();
    devices.made[0]?.recv?.fire('connectionstatechange', 'failed');
    expect(session.snapshot.phase).toBe('reconnecting');
    await vi.advanceTimersByTimeAsync(1000);
    expect(socket.connects).toBe(2);
    expect(session.snapshot.phase).toBe('joined');
  });

  it('gives up when media fails again and again, and begins again when asked', async () => {
    const { socket, session, devices } = setUp();
    session.start();
    for (let failure = 0; failure < FAILURES_MAX; failure += 1) {
      // oxlint-disable-next-line no-await-in-loop
      await vi.advanceTimersByTimeAsync(60_000);
      devices.made.at(-1)?.send?.fire('connectionstatechange', 'failed');
    }
    expect(session.snapshot).toMatchObject({ phase: 'failed', error: { code: 'media' } });
    expect(socket.connected).toBe(false);
    session.retry();
    await settle();
    expect(session.snapshot.phase).toBe('joined');
  });

  it('counts failures in a row only', async () => {
    const { session, devices } = setUp();
    session.start();
    for (let failure = 0; failure < FAILURES_MAX * 2; failure += 1) {
      // oxlint-disable-next-line no-await-in-loop
      await vi.advanceTimersByTimeAsync(60_000);
      devices.made.at(-1)?.send?.fire('connectionstatechange', 'connected');
      devices.made.at(-1)?.send?.fire('connectionstatechange', 'failed');
    }
    expect(session.snapshot.phase).toBe('reconnecting');
  });
});

describe('publishing', () => {
  it('pauses for the others when muted, and again after a reconnection', async () => {
    const { socket, session, devices } = setUp();
    const microphone = fakeTrack('audio');
    session.setLocal('microphone', { track: microphone, enabled: true });
    session.start();
    await settle();
    session.setLocal('microphone', { track: microphone, enabled: false });
    await settle();
    expect(socket.eventsSent('pauseProducer')).toHaveLength(1);
    expect(devices.made[0]?.send?.producers[0]?.paused).toBe(true);

    socket.goDown('transport close');
    socket.comeUp();
    await settle();
    expect(socket.eventsSent('pauseProducer')).toHaveLength(2);
    expect(devices.made[1]?.send?.producers[0]?.paused).toBe(true);
  });

  it('lets go of the camera while off, and sends the new track under the same producer', async () => {
    const { socket, session, devices } = setUp();
    session.setLocal('camera', { track: fakeTrack('video'), enabled: true });
    session.start();
    await settle();
    session.setLocal('camera', { track: null, enabled: false });
    await settle();
    const producer = devices.made[0]?.send?.producers[0];
    expect(producer).toMatchObject({ track: null, paused: true });
    const second = fakeTrack('video');
    session.setLocal('camera', { track: second, enabled: true });
    await settle();
    expect(producer).toMatchObject({ track: second, paused: false });
    expect(socket.eventsSent('produce')).toHaveLength(1);
    expect(socket.eventsSent('resumeProducer')).toHaveLength(1);
  });

  it('ends in the last state wanted when toggled faster than the server answers', async () => {
    const { socket, session, devices } = setUp((event) => (event === 'produce' ? 'silence' : undefined));
    const first = fakeTrack('video');
    session.setLocal('camera', { track: first, enabled: true });
    session.start();
    await settle();
    session.setLocal('camera', { track: null, enabled: false });
    const last = fakeTrack('video');
    session.setLocal('camera', { track: last, enabled: true });
    session.setLocal('camera', { track: null, enabled: false });
    socket.eventsSent('produce')[0]?.ack?.({ id: 'own' });
    await settle();
    expect(socket.eventsSent('produce')).toHaveLength(1);
    expect(devices.made[0]?.send?.producers[0]).toMatchObject({ track: null, paused: true });
  });

  it('announces a screen by its own event and closes it when it stops', async () => {
    const { socket, session, devices } = setUp();
    session.start();
    await settle();
    session.setLocal('screen', { track: fakeTrack('video'), enabled: true });
    await settle();
    expect(socket.eventsSent('startScreenShare')[0]?.payload['appData']).toEqual({ type: 'screen' });
    session.setLocal('screen', { track: null, enabled: true });
    await settle();
    const producer = devices.made[0]?.send?.producers[0];
    expect(producer?.closed).toBe(true);
    expect(socket.eventsSent('stopScreenShare').map(({ payload }) => payload['producerId'])).toEqual([producer?.id]);
  });

  it('sends those sizes of the camera that anybody uses', async () => {
    const { socket, session, devices } = setUp();
    session.setLocal('camera', { track: fakeTrack('video'), enabled: true });
    session.start();
    await settle();
    const { id = '', rtpSender } = devices.made[0]?.send?.producers[0] ?? {};
    expect(rtpSender?.active).toEqual([true, true, true]);
    for (const [spatialLayers, active] of [
      [[0], [true, false, false]],
      [[], [false, false, false]],
      [
        [0, 2],
        [true, false, true],
      ],
    ] as const) {
      socket.receive('producerLayersWanted', { producerId: id, spatialLayers });
      // oxlint-disable-next-line no-await-in-loop
      await settle();
      expect(rtpSender?.active).toEqual(active);
    }
    socket.receive('producerLayersWanted', { producerId: id, spatialLayers: [0, 2] });
    socket.receive('producerLayersWanted', { producerId: 'somebody-elses', spatialLayers: [] });
    await settle();
    expect(rtpSender).toMatchObject({ active: [true, false, true], changes: 3 });
  });

  it('ends with the sizes wanted last, however quickly they change', async () => {
    const { socket, session, devices } = setUp();
    const failures: unknown[] = [];
    session.on('sendFailed', (failure) => failures.push(failure));
    session.setLocal('camera', { track: fakeTrack('video'), enabled: true });
    session.start();
    await settle();
    const producer = devices.made[0]?.send?.producers[0];
    for (const spatialLayers of [[], [0], [], [1, 2]]) {
      socket.receive('producerLayersWanted', { producerId: producer?.id, spatialLayers });
    }
    session.setLocal('camera', { track: fakeTrack('video'), enabled: true });
    await settle();
    expect(producer?.rtpSender.active).toEqual([false, true, true]);
    expect(failures).toEqual([]);
  });

  it('hears which sizes are wanted before it knows that it sends', async () => {
    const { socket, session, devices } = setUp((event) => (event === 'produce' ? 'silence' : undefined));
    session.setLocal('camera', { track: fakeTrack('video'), enabled: true });
    session.start();
    await settle();
    socket.eventsSent('produce')[0]?.ack?.({ id: 'own' });
    socket.receive('producerLayersWanted', { producerId: 'own', spatialLayers: [] });
    await settle();
    expect(devices.made[0]?.send?.producers[0]?.rtpSender.active).toEqual([false, false, false]);
  });

  it('sends a screen whole or, when nobody looks, not at all', async () => {
    const { socket, session, devices } = setUp();
    session.setLocal('screen', { track: fakeTrack('video'), enabled: true });
    session.start();
    await settle();
    const { id = '', rtpSender } = devices.made[0]?.send?.producers[0] ?? {};
    socket.receive('producerLayersWanted', { producerId: id, spatialLayers: [] });
    await settle();
    expect(rtpSender?.active).toEqual([false]);
    socket.receive('producerLayersWanted', { producerId: id, spatialLayers: [1] });
    await settle();
    expect(rtpSender?.active).toEqual([true]);
  });

  it('tells when the server refuses a source, and the call goes on', async () => {
    const { session } = setUp((event) => (event === 'produce' ? { error: 'too many producers' } : undefined));
    const failures: unknown[] = [];
    session.on('sendFailed', ({ source }) => failures.push(source));
    session.setLocal('camera', { track: fakeTrack('video'), enabled: true });
    session.start();
    await settle();
    expect(failures).toEqual(['camera']);
    expect(session.snapshot.phase).toBe('joined');
  });

  it('begins afresh when the transport cannot be connected', async () => {
    const { session, devices } = setUp((event) =>
      event === 'connectWebRtcTransport' ? { error: 'bad fingerprint' } : undefined,
    );
    session.start();
    await settle();
    const errback = vi.fn<(error: Error) => void>();
    devices.made[0]?.send?.fire('connect', { dtlsParameters: {} }, vi.fn<() => void>(), errback);
    await settle();
    expect(errback).toHaveBeenCalledOnce();
    expect(session.snapshot.phase).toBe('reconnecting');
  });
});

describe('receiving', () => {
  it('tells a picture that the server holds back from one that its sender paused', async () => {
    const { socket, session } = setUp(withCamera);
    session.start();
    await settle();
    const media = () => session.snapshot.participants[0]?.media[0];
    for (const [reason, suspended] of [
      ['bandwidth', 'bandwidth'],
      ['notSpeaking', 'notSpeaking'],
      ['producer', null],
      ['bandwidth', 'bandwidth'],
      [undefined, null],
    ] as const) {
      socket.receive('consumerPaused', { consumerId: 'c-p-cam', reason });
      expect(media()).toMatchObject({ suspended, paused: false });
    }
    socket.receive('consumerPaused', { consumerId: 'c-p-cam', reason: 'bandwidth' });
    socket.receive('consumerResumed', { consumerId: 'c-p-other' });
    expect(media()?.suspended).toBe('bandwidth');
    socket.receive('consumerResumed', { consumerId: 'c-p-cam' });
    expect(media()?.suspended).toBeNull();
  });

  it.each([
    ['consumerPaused', { suspended: 'bandwidth', track: expect.anything() as unknown }, 1],
    ['consumerClosed', { suspended: null, track: null }, 0],
  ])('hears %s while the browser makes a consumer that the server has made', async (event, media, resumed) => {
    const { socket, session, devices } = setUp();
    session.start();
    await settle();
    devices.made[0]?.recv?.holdConsumes();
    socket.receive('newProducer', CAMERA);
    await settle();
    socket.receive(event, { consumerId: 'c-p-cam', reason: 'bandwidth' });
    devices.made[0]?.recv?.releaseConsumes();
    await settle();
    expect(session.snapshot.participants[0]?.media[0]).toMatchObject(media);
    expect(socket.eventsSent('resumeConsumer')).toHaveLength(resumed);
    expect(devices.made[0]?.recv?.consumers.map(({ closed }) => closed)).toEqual([resumed === 0]);
  });

  it('asks for the size that its view needs, and again only when that changes', async () => {
    const { socket, session } = setUp(withCamera);
    session.start();
    await settle();
    for (const height of [720, 200, 180, 400, 1080]) {
      session.setViewHeight('p-cam', height);
    }
    session.setViewHeight('p-unknown', 100);
    expect(socket.eventsSent('setPreferredLayers').map(({ payload }) => payload)).toEqual(
      [0, 1, 2].map((spatialLayer) => ({ consumerId: 'c-p-cam', spatialLayer })),
    );
  });

  it('asks for nothing where there is nothing to choose', async () => {
    const { socket, session } = setUp((event, payload) =>
      event === 'consume' ? { id: 'c', kind: 'video', rtpParameters: {} } : withCamera(event, payload),
    );
    session.start();
    await settle();
    session.setViewHeight('p-cam', 100);
    expect(socket.eventsSent('setPreferredLayers')).toEqual([]);
  });

  it('knows who speaks, and that nobody does', async () => {
    const { socket, session } = setUp();
    session.start();
    await settle();
    const speaker = () => session.snapshot.activeSpeaker;
    socket.receive('activeSpeaker', { userId: 'bob', producerId: 'p' });
    expect(speaker()).toEqual({ userId: 'bob', isSelf: false });
    socket.receive('audioLevels', []);
    expect(speaker()).toBeNull();
    // The same one goes on: that is no new speaker.
    socket.receive('audioLevels', [{ userId: 'bob', producerId: 'p', volume: -40 }]);
    expect(speaker()).toEqual({ userId: 'bob', isSelf: false });
    socket.receive('activeSpeaker', { userId: 'me', producerId: 'own' });
    expect(speaker()).toEqual({ userId: 'me', isSelf: true });
    socket.goDown('transport close');
    expect(speaker()).toBeNull();
  });
});
