import { TriangleAlert, X } from 'lucide-react';
import { useEffect } from 'react';
import { Banner } from '../../components/Banner';
import type { MediaProblem } from '../../rtc/media-problems';
import { callStore, useCall } from '../../state/call';
import type { Notice } from '../../state/call-store';

const SHOWN_MS = 8000;

/** Tells once what just went wrong with a device; goes away by itself. */
export function NoticeBanner() {
  const notice = useCall((state) => state.notice);
  const { dismissNotice } = callStore.getState();
  useEffect(() => {
    if (!notice) {
      return undefined;
    }
    const timer = setTimeout(dismissNotice, SHOWN_MS);
    return () => {
      clearTimeout(timer);
    };
  }, [notice, dismissNotice]);
  if (!notice) {
    return null;
  }
  return (
    <Banner
      icon={TriangleAlert}
      tone="warn"
      action={
        <button
          type="button"
          aria-label="Dismiss"
          onClick={dismissNotice}
          className="rounded-lg p-1 text-soft hover:text-ink"
        >
          <X size={16} aria-hidden />
        </button>
      }
    >
      {noticeText(notice)}
    </Banner>
  );
}

function noticeText(notice: Notice): string {
  switch (notice.kind) {
    case 'media':
      return problemText(notice.problem);
    case 'lost':
      return notice.device === 'camera' ? 'Your camera was disconnected.' : 'Your microphone was disconnected.';
    case 'muted':
      return `An administrator has turned off your ${notice.source.replace('-', ' ')}.`;
    case 'send':
      return `Others may not receive your ${notice.source.replace('-', ' ')}. Turn it off and on again.`;
  }
}

function problemText({ device, cause }: MediaProblem): string {
  switch (cause) {
    case 'denied':
      return `Access to your ${device} is blocked. Allow it in the site settings beside the address bar.`;
    case 'not-found':
      return `No ${device} was found.`;
    case 'in-use':
      return `Your ${device} cannot be opened. Another program probably uses it.`;
    case 'insecure':
      return `Browsers allow the ${device} over HTTPS or on localhost only.`;
    case 'unknown':
      return `Your ${device} did not start.`;
  }
}
