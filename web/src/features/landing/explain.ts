import type { MediaProblem, MediaProblemCause } from '../../rtc/media-problems';

export interface Explanation {
  title: string;
  advice: string;
}

/** What went wrong with the devices, in words for the one who can change it. */
export function explain(problems: readonly MediaProblem[]): Explanation[] {
  const causes = new Map<MediaProblemCause, MediaProblem['device'][]>();
  for (const { cause, device } of problems) {
    causes.set(cause, [...(causes.get(cause) ?? []), device]);
  }
  return Array.from(causes, ([cause, devices]) => EXPLANATIONS[cause](devices.join(' and '), devices.length > 1));
}

const EXPLANATIONS: Record<MediaProblemCause, (devices: string, several: boolean) => Explanation> = {
  denied: (devices) => ({
    title: `Access to your ${devices} is blocked`,
    advice: 'Open the site settings beside the address bar, allow access, then try again. Your system settings may block the browser, too.',
  }),
  'not-found': (devices, several) => ({
    title: `No ${devices.replace(' and ', ' or ')} was found`,
    advice: several ? 'Plug the devices in, then try again.' : 'Plug it in, then try again.',
  }),
  'in-use': (devices, several) => ({
    title: `Your ${devices} cannot be opened`,
    advice: `Another program or tab probably uses ${several ? 'them' : 'it'}. Close it, then try again.`,
  }),
  insecure: (devices) => ({
    title: `Your ${devices} cannot be used on this address`,
    advice: 'Browsers allow this over HTTPS or on localhost only. Open this page with https:// in front.',
  }),
  unknown: (devices) => ({
    title: `Your ${devices} did not start`,
    advice: 'The browser gave no reason. Reloading the page or restarting the browser often helps.',
  }),
};
