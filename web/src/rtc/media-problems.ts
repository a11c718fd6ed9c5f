/**
 * Why a device cannot be used, by what somebody can do about it:
 * - `denied`: the user or a policy said no
 * - `not-found`: there is no such device
 * - `in-use`: there is one, but the system or another program keeps it
 * - `insecure`: the page came over plain HTTP, where browsers offer no devices at all
 * - `unknown`: anything else
 */
export type MediaProblemCause = 'denied' | 'not-found' | 'in-use' | 'insecure' | 'unknown';

export type CaptureDevice = 'microphone' | 'camera' | 'screen';

export interface MediaProblem {
  device: CaptureDevice;
  cause: MediaProblemCause;
}

const CAUSES: Record<string, MediaProblemCause> = {
  NotAllowedError: 'denied',
  PermissionDeniedError: 'denied',
  SecurityError: 'denied',
  NotFoundError: 'not-found',
  DevicesNotFoundError: 'not-found',
  OverconstrainedError: 'not-found',
  NotReadableError: 'in-use',
  TrackStartError: 'in-use',
  AbortError: 'in-use',
};

/** What a rejection of `getUserMedia` or `getDisplayMedia` means. */
export function causeOf(error: unknown): MediaProblemCause {
  const name = typeof error === 'object' && error !== null && 'name' in error ? String(error.name) : '';
  return CAUSES[name] ?? 'unknown';
}
