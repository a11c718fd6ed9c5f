import { CircleX, LoaderCircle, WifiOff } from 'lucide-react';
import { Banner } from '../../components/Banner';
import { Button } from '../../components/Button';
import type { CallError } from '../../rtc/errors';
import { callStore, useCall } from '../../state/call';

/** Says how the connection is while it is not simply good. */
export function ConnectionBanner() {
  const { phase, unreachable, error } = useCall((state) => state.call);
  switch (phase) {
    case 'connecting':
      return unreachable ? (
        <Banner icon={WifiOff} tone="warn">
          The server cannot be reached. Still trying…
        </Banner>
      ) : (
        <Banner icon={LoaderCircle} tone="neutral" spinning>
          Connecting…
        </Banner>
      );
    case 'reconnecting':
      return (
        <Banner icon={LoaderCircle} tone="warn" spinning>
          Connection lost. Reconnecting…
        </Banner>
      );
    case 'failed':
      return (
        <Banner
          icon={CircleX}
          tone="danger"
          action={
            <Button look="secondary" className="py-1.5" onClick={callStore.getState().retryCall}>
              Try again
            </Button>
          }
        >
          {error ? failureText(error) : 'The call failed.'}
        </Banner>
      );
    case 'joined':
    case 'left':
      return null;
  }
}

function failureText({ code, message }: CallError): string {
  switch (code) {
    case 'refused':
      return `The server did not let you in: ${message}`;
    case 'removed':
      return message;
    case 'unsupported':
      return 'This browser cannot take part in calls. A current Chrome, Edge, Firefox or Safari can.';
    case 'media':
      return 'The server answers, but sound and picture do not get through. A firewall may block them.';
    case 'timeout':
    case 'disconnected':
      return 'The server does not answer.';
  }
}
