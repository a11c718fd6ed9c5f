import { describe, expect, it } from 'vitest';
import { CallSession } from '../rtc/call-session';
import type { CaptureApi } from '../rtc/capture';
import { fakeDevices, FakeSocket, fakeTrack, settle, type FakeTrack } from '../rtc/fakes';
import { Signalling } from '../rtc/signalling';
import { createCallStore } from './call-store';

const REQUEST = { room: 'river', userName: 'Ann', microphone: true, camera: true };

function answer(event: string): unknown {
  switch (event) {
    case 'getRouterRtpCapabilities':
      return { rtpCapabilities: {} };
    case 'joinRoom':
      return { participants: [], activeProducers: [] };
    case 'resumeConsumer':
      return null;
    default:
      return { id: event };
  }
}

function setUp(override: Partial<CaptureApi> = {}) {
  const opened: FakeTrack[] = [];
  const open = (constraints: { audio?: unknown; video?: unknown }): Promise<MediaStream> => {
    const audio = constraints.audio === undefined ? [] : [fakeTrack('audio')];
    const video = constraints.video === undefined ? [] : [fakeTrack('video')];
    opened.push(...audio, ...video);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return Promise.resolve({
      getTracks: () => [...audio, ...video],
      getAudioTracks: () => audio,
      getVideoTracks: () => video,
    } as unknown as MediaStream);
  };
  const socket = new FakeSocket(answer);
  const capture: CaptureApi = {
    isSecure: true,
    isGranted: () => Promise.resolve(false),
    getUserMedia: open,
    getDisplayMedia: ({ video }) => open({ video }),
    ...override,
  };
  const devices = fakeDevices();
  const store = createCallStore({
    capture,
    openSession: (identity) => new CallSession(new Signalling(socket), identity, devices.create),
  });
  return { store, opened, socket, devices };
}

describe('the call store', () => {
  it('joins with devices open', async () => {
    const { store, devices } = setUp();
    await store.getState().join(REQUEST);
    await settle();
    expect(store.getState()).toMatchObject({ stage: 'active', call: { phase: 'joined' }, local: { microphoneOn: true } });
    expect(devices.made[0]?.send?.producers.map(({ kind }) => kind).toSorted()).toEqual(['audio', 'video']);
  });

  it('lets the user decide when a device is denied, and joins without it', async () => {
    const { store } = setUp({ getUserMedia: () => Promise.reject(new DOMException('', 'NotAllowedError')) });
    await store.getState().join(REQUEST);
    expect(store.getState().stage).toBe('blocked');
    store.getState().joinAnyway();
    await settle();
    expect(store.getState()).toMatchObject({ stage: 'active', problems: [], call: { phase: 'joined' } });
  });

  it('releases a device that opens after the user has left: its light must not stay on', async () => {
    const { store, opened } = setUp();
    const joining = store.getState().join(REQUEST);
    store.getState().leave();
    await joining;
    expect(opened.map(({ readyState }) => readyState)).toEqual(['ended', 'ended']);
    expect(store.getState().stage).toBe('idle');
  });

  it('releases every device on leaving', async () => {
    const { store, opened } = setUp();
    await store.getState().join(REQUEST);
    await store.getState().toggleScreen();
    store.getState().leave();
    expect(opened).toHaveLength(3);
    expect(opened.every(({ readyState }) => readyState === 'ended')).toBe(true);
  });

  it('stops the camera itself when turned off, and opens it anew', async () => {
    const { store, opened } = setUp();
    await store.getState().join(REQUEST);
    await store.getState().toggleCamera();
    expect(opened[1]?.readyState).toBe('ended');
    expect(store.getState().local.camera).toBeNull();
    await store.getState().toggleCamera();
    expect(store.getState().local.camera).toBe(opened[2]);
  });

  it('mutes the track at once, whatever the network does', async () => {
    const { store, opened, socket } = setUp();
    await store.getState().join(REQUEST);
    socket.goDown('transport close');
    await store.getState().toggleMicrophone();
    expect(opened[0]?.enabled).toBe(false);
    expect(store.getState().local.microphoneOn).toBe(false);
  });

  it('stops sharing when the browser’s own button ends the screen', async () => {
    const { store, opened, socket } = setUp();
    await store.getState().join(REQUEST);
    await settle();
    await store.getState().toggleScreen();
    await settle();
    opened[2]?.end();
    await settle();
    expect(store.getState().local.screen).toBeNull();
    expect(socket.eventsSent('stopScreenShare')).toHaveLength(1);
  });

  it('says nothing when the user closes the screen picker', async () => {
    const { store } = setUp({ getDisplayMedia: () => Promise.reject(new DOMException('', 'NotAllowedError')) });
    await store.getState().join(REQUEST);
    await store.getState().toggleScreen();
    expect(store.getState()).toMatchObject({ notice: null, local: { screen: null, opening: { screen: false } } });
  });

  it('tells when a camera is unplugged, and goes on without it', async () => {
    const { store, opened } = setUp();
    await store.getState().join(REQUEST);
    opened[1]?.end();
    expect(store.getState()).toMatchObject({ notice: { kind: 'lost', device: 'camera' }, local: { camera: null } });
  });
});
