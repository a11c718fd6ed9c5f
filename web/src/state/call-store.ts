import { createStore, type StoreApi } from 'zustand/vanilla';
import { captureDevices, captureScreen, type CaptureApi, type Captured } from '../rtc/capture';
import { INITIAL_SNAPSHOT, type CallSession, type CallSnapshot } from '../rtc/call-session';
import { causeOf, type MediaProblem } from '../rtc/media-problems';
import type { MediaSource } from '../rtc/protocol';
import type { Identity } from '../rtc/room-connection';
import { randomId } from './random';

/**
 * - `idle`: no call
 * - `preparing`: waiting for devices (a permission prompt may be open)
 * - `blocked`: a wanted device could not be had; the user decides how to go on
 * - `active`: in a call, whatever the state of its connection
 */
export type CallStage = 'idle' | 'preparing' | 'blocked' | 'active';

export interface LocalMedia {
  microphone: MediaStreamTrack | null;
  microphoneOn: boolean;
  /** Null while off: the camera itself is released, and its light goes out. */
  camera: MediaStreamTrack | null;
  screen: MediaStreamTrack | null;
  screenAudio: MediaStreamTrack | null;
  /** A device is being opened: its button waits. */
  opening: { microphone: boolean; camera: boolean; screen: boolean };
}

/** Something to tell the user once. */
export type Notice =
  | { kind: 'media'; problem: MediaProblem }
  | { kind: 'lost'; device: 'microphone' | 'camera' }
  | { kind: 'send'; source: MediaSource }
  | { kind: 'muted'; source: MediaSource };

export interface JoinRequest {
  room: string;
  userName: string;
  microphone: boolean;
  camera: boolean;
}

export interface CallState {
  stage: CallStage;
  request: JoinRequest | null;
  problems: readonly MediaProblem[];
  call: CallSnapshot;
  local: LocalMedia;
  notice: Notice | null;
  /** The browser plays no sound before the user has clicked somewhere. */
  audioBlocked: boolean;

  /** Opens the devices, then joins. */
  join: (request: JoinRequest) => Promise<void>;
  /** From `blocked`: asks for the devices again. */
  retryDevices: () => Promise<void>;
  /** From `blocked`: joins with what there is. */
  joinAnyway: () => void;
  leave: () => void;
  retryCall: () => void;
  toggleMicrophone: () => Promise<void>;
  toggleCamera: () => Promise<void>;
  toggleScreen: () => Promise<void>;
  /** So many device pixels high is the picture of a producer shown. */
  setViewHeight: (producerId: string, heightPx: number) => void;
  setAudioBlocked: (blocked: boolean) => void;
  dismissNotice: () => void;
}

export interface CallStoreDependencies {
  capture: CaptureApi;
  openSession: (identity: Identity) => CallSession;
}

const NO_MEDIA: LocalMedia = {
  microphone: null,
  microphoneOn: false,
  camera: null,
  screen: null,
  screenAudio: null,
  opening: { microphone: false, camera: false, screen: false },
};

const NO_CALL = {
  stage: 'idle',
  request: null,
  problems: [],
  call: INITIAL_SNAPSHOT,
  local: NO_MEDIA,
  notice: null,
  audioBlocked: false,
} satisfies Partial<CallState>;

/** The call of this page: local devices and the session, as one state to show. */
export function createCallStore({ capture, openSession }: CallStoreDependencies): StoreApi<CallState> {
  let session: CallSession | undefined;
  /** Grows when a call ends: a device that opens afterwards is released at once. */
  let epoch = 0;

  return createStore<CallState>()((set, get) => {
    const setLocal = (change: Partial<LocalMedia>): void => {
      set(({ local }) => ({ local: { ...local, ...change } }));
    };
    const setOpening = (change: Partial<LocalMedia['opening']>): void => {
      set(({ local }) => ({ local: { ...local, opening: { ...local.opening, ...change } } }));
    };

    const applyMicrophone = (track: MediaStreamTrack | null, on: boolean): void => {
      if (track) {
        // At once: whatever the network does, a muted microphone is silent.
        track.enabled = on;
        watch(track, () => {
          if (get().local.microphone === track) {
            applyMicrophone(null, false);
            set({ notice: { kind: 'lost', device: 'microphone' } });
          }
        });
      }
      setLocal({ microphone: track, microphoneOn: track !== null && on });
      session?.setLocal('microphone', { track, enabled: on });
    };
    const applyCamera = (track: MediaStreamTrack | null): void => {
      if (track) {
        watch(track, () => {
          if (get().local.camera === track) {
            applyCamera(null);
            set({ notice: { kind: 'lost', device: 'camera' } });
          }
        });
      }
      setLocal({ camera: track });
      session?.setLocal('camera', { track, enabled: track !== null });
    };
    const applyScreen = (video: MediaStreamTrack | null, audio: MediaStreamTrack | null): void => {
      if (video) {
        // The browser's own "stop sharing" ends the track.
        watch(video, () => {
          if (get().local.screen === video) {
            stopScreen();
          }
        });
      }
      setLocal({ screen: video, screenAudio: audio });
      session?.setLocal('screen', { track: video, enabled: true });
      session?.setLocal('screen-audio', { track: audio, enabled: true });
    };
    const stopScreen = (): void => {
      const { screen, screenAudio } = get().local;
      applyScreen(null, null);
      screen?.stop();
      screenAudio?.stop();
    };

    const turnOff = (source: MediaSource): void => {
      const { microphone, camera } = get().local;
      if (source === 'microphone') {
        applyMicrophone(microphone, false);
      } else if (source === 'camera') {
        applyCamera(null);
        camera?.stop();
      } else {
        stopScreen();
      }
    };

    const openDevices = async (request: JoinRequest): Promise<void> => {
      const current = ++epoch;
      set({ ...NO_CALL, stage: 'preparing', request });
      const captured = await captureDevices(capture, request);
      if (current !== epoch) {
        release(captured);
        return;
      }
      applyMicrophone(captured.microphone, true);
      applyCamera(captured.camera);
      if (captured.problems.length > 0) {
        set({ stage: 'blocked', problems: captured.problems });
        return;
      }
      begin(request);
    };

    const begin = ({ room, userName }: JoinRequest): void => {
      const opened = openSession({ roomId: room, userId: randomId(), userName });
      session = opened;
      const { microphone, microphoneOn, camera } = get().local;
      opened.setLocal('microphone', { track: microphone, enabled: microphoneOn });
      opened.setLocal('camera', { track: camera, enabled: camera !== null });
      opened.on('snapshot', (call) => {
        if (session === opened) {
          set({ call });
        }
      });
      opened.on('sendFailed', ({ source, error }) => {
        console.warn(`cannot send ${source}`, error);
        if (session === opened) {
          set({ notice: { kind: 'send', source } });
        }
      });
      opened.on('muted', ({ source }) => {
        if (session === opened) {
          turnOff(source);
          set({ notice: { kind: 'muted', source } });
        }
      });
      set({ stage: 'active', problems: [], call: opened.snapshot });
      opened.start();
    };

    const openOne = async (device: 'microphone' | 'camera'): Promise<void> => {
      const current = epoch;
      setOpening({ [device]: true });
      const captured = await captureDevices(capture, {
        microphone: device === 'microphone',
        camera: device === 'camera',
      });
      if (current !== epoch) {
        release(captured);
        return;
      }
      setOpening({ [device]: false });
      const [problem] = captured.problems;
      if (problem) {
        set({ notice: { kind: 'media', problem } });
      } else if (device === 'microphone') {
        applyMicrophone(captured.microphone, true);
      } else {
        applyCamera(captured.camera);
      }
    };

    return {
      ...NO_CALL,
      join: openDevices,
      retryDevices: async () => {
        const { request, local } = get();
        if (request) {
          release(local);
          await openDevices(request);
        }
      },
      joinAnyway: () => {
        const { stage, request } = get();
        if (stage === 'blocked' && request) {
          begin(request);
        }
      },
      leave: () => {
        epoch += 1;
        session?.leave();
        session = undefined;
        release(get().local);
        set(NO_CALL);
      },
      retryCall: () => {
        session?.retry();
      },
      toggleMicrophone: async () => {
        const { microphone, microphoneOn, opening } = get().local;
        if (microphone) {
          microphone.enabled = !microphoneOn;
          setLocal({ microphoneOn: !microphoneOn });
          session?.setLocal('microphone', { track: microphone, enabled: !microphoneOn });
        } else if (!opening.microphone) {
          await openOne('microphone');
        }
      },
      toggleCamera: async () => {
        const { camera, opening } = get().local;
        if (camera) {
          applyCamera(null);
          camera.stop();
        } else if (!opening.camera) {
          await openOne('camera');
        }
      },
      toggleScreen: async () => {
        const { screen, opening } = get().local;
        if (screen) {
          stopScreen();
          return;
        }
        if (opening.screen) {
          return;
        }
        const current = epoch;
        setOpening({ screen: true });
        try {
          const { video, audio } = await captureScreen(capture);
          if (current === epoch) {
            applyScreen(video, audio);
          } else {
            video.stop();
            audio?.stop();
          }
        } catch (error) {
          const cause = causeOf(error);
          // Closing the picker is an answer, not a problem.
          if (current === epoch && cause !== 'denied') {
            set({ notice: { kind: 'media', problem: { device: 'screen', cause } } });
          }
        }
        if (current === epoch) {
          setOpening({ screen: false });
        }
      },
      setViewHeight: (producerId, heightPx) => {
        session?.setViewHeight(producerId, heightPx);
      },
      setAudioBlocked: (audioBlocked) => {
        set({ audioBlocked });
      },
      dismissNotice: () => {
        set({ notice: null });
      },
    };
  });
}

function watch(track: MediaStreamTrack, onEnded: () => void): void {
  // Fired when the device goes away or the user ends it in the browser, not by our own `stop()`.
  track.addEventListener('ended', onEnded, { once: true });
}

function release(media: Partial<LocalMedia> | Captured): void {
  media.microphone?.stop();
  media.camera?.stop();
  if ('screen' in media) {
    media.screen?.stop();
    media.screenAudio?.stop();
  }
}
