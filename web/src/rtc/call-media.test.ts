import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CAMERA, setUp, withCamera } from './fake-call';
import { fakeTrack, settle } from './fakes';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
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

  it('never stops a voice: the first word to somebody who comes would be lost', async () => {
    const { socket, session, devices } = setUp();
    session.setLocal('microphone', { track: fakeTrack('audio'), enabled: true });
    session.start();
    await settle();
    const { id = '', rtpSender } = devices.made[0]?.send?.producers[0] ?? {};
    socket.receive('producerLayersWanted', { producerId: id, spatialLayers: [] });
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
      ['overload', 'overload'],
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
