import { causeOf, type MediaProblem } from './media-problems';

/** The part of the browser that captures; tests bring their own. */
export interface CaptureApi {
  isSecure: boolean;
  getUserMedia: (constraints: MediaStreamConstraints) => Promise<MediaStream>;
  getDisplayMedia: (options: DisplayMediaStreamOptions) => Promise<MediaStream>;
  /** Whether the permission is known to be given already, so that asking shows no prompt. */
  isGranted: (device: 'microphone' | 'camera') => Promise<boolean>;
}

export interface Captured {
  microphone: MediaStreamTrack | null;
  camera: MediaStreamTrack | null;
  problems: MediaProblem[];
}

export interface CapturedScreen {
  video: MediaStreamTrack;
  audio: MediaStreamTrack | null;
}

const AUDIO: MediaTrackConstraints = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
const VIDEO: MediaTrackConstraints = {
  width: { ideal: 1280 },
  height: { ideal: 720 },
  frameRate: { ideal: 30 },
  facingMode: 'user',
};

export function browserCapture(): CaptureApi {
  // Absent on insecure origins, whatever its type says.
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  const need = (): MediaDevices => {
    if (!devices) {
      throw new DOMException('no media devices here', 'NotFoundError');
    }
    return devices;
  };
  return {
    isSecure: window.isSecureContext && devices !== undefined,
    getUserMedia: async (constraints) => need().getUserMedia(constraints),
    getDisplayMedia: async (options) => need().getDisplayMedia(options),
    isGranted: async (device) => {
      try {
        return (await navigator.permissions.query({ name: device })).state === 'granted';
      } catch {
        // Browsers that cannot be asked about devices.
        return false;
      }
    },
  };
}

/**
 * Opens what is wanted, with one prompt for both if possible. What fails is told by device, and the rest is still had:
 * somebody without a camera can talk.
 */
export async function captureDevices(
  api: CaptureApi,
  wanted: { microphone: boolean; camera: boolean },
): Promise<Captured> {
  const none: Captured = { microphone: null, camera: null, problems: [] };
  const devices = (['microphone', 'camera'] as const).filter((device) => wanted[device]);
  if (devices.length === 0) {
    return none;
  }
  if (!api.isSecure) {
    return { ...none, problems: devices.map((device) => ({ device, cause: 'insecure' as const })) };
  }
  try {
    const stream = await api.getUserMedia({
      ...(wanted.microphone && { audio: AUDIO }),
      ...(wanted.camera && { video: VIDEO }),
    });
    return { microphone: stream.getAudioTracks()[0] ?? null, camera: stream.getVideoTracks()[0] ?? null, problems: [] };
  } catch (error) {
    const cause = causeOf(error);
    if (devices.length === 1) {
      return { ...none, problems: devices.map((device) => ({ device, cause })) };
    }
    return captureOneByOne(api, cause);
  }
}

/** @throws whatever `getDisplayMedia` rejects with; `NotAllowedError` also when the user just closed the picker */
export async function captureScreen(api: CaptureApi): Promise<CapturedScreen> {
  const stream = await api.getDisplayMedia({ video: { frameRate: { ideal: 15, max: 30 } }, audio: true });
  const video = stream.getVideoTracks()[0];
  if (!video) {
    throw new DOMException('the shared screen has no picture', 'NotFoundError');
  }
  // Sharp text matters more than smooth motion.
  video.contentHint = 'detail';
  return { video, audio: stream.getAudioTracks()[0] ?? null };
}

async function captureOneByOne(api: CaptureApi, jointCause: MediaProblem['cause']): Promise<Captured> {
  const result: Captured = { microphone: null, camera: null, problems: [] };
  for (const device of ['microphone', 'camera'] as const) {
    // One prompt after another, and none again for somebody who has just said no.
    // oxlint-disable-next-line no-await-in-loop
    if (jointCause === 'denied' && !(await api.isGranted(device))) {
      result.problems.push({ device, cause: 'denied' });
      continue;
    }
    try {
      // oxlint-disable-next-line no-await-in-loop
      const stream = await api.getUserMedia(device === 'microphone' ? { audio: AUDIO } : { video: VIDEO });
      result[device] = stream.getTracks()[0] ?? null;
    } catch (error) {
      result.problems.push({ device, cause: causeOf(error) });
    }
  }
  return result;
}
