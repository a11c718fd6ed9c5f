import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FAILURES_MAX } from './call-session';
import { answer, BOB, CAMERA, IDENTITY, setUp } from './fake-call';
import { fakeTrack, settle } from './fakes';
import { REQUEST_TIMEOUT_MS } from './signalling';

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

  it('ends with the server’s words when its token is not good', async () => {
    const { socket, session } = setUp();
    socket.isServerUp = false;
    socket.active = false;
    session.start();
    await settle();
    expect(session.snapshot).toMatchObject({ phase: 'failed', error: { code: 'refused', message: 'refused' } });
  });

  it.each([
    ['removed', { roomId: 'river' }, 'removed you'],
    ['roomClosed', { roomId: 'river', reason: 'closed' }, 'ended this call'],
  ] as const)('does not come back by itself after %s', async (event, payload, words) => {
    const { socket, session } = setUp();
    session.start();
    await settle();
    socket.receive(event, payload);
    socket.goDown('io server disconnect');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(session.snapshot.phase).toBe('failed');
    expect(session.snapshot.error?.message).toContain(words);
    expect(socket.connects).toBe(1);
  });

  it('comes back to a room that was lost', async () => {
    const { socket, session } = setUp();
    session.start();
    await settle();
    socket.receive('roomClosed', { roomId: 'river', reason: 'lost' });
    socket.goDown('io server disconnect');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(session.snapshot.phase).toBe('joined');
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
