import { RotateCw, TriangleAlert } from 'lucide-react';
import { useEffect, useRef } from 'react';
import { Button } from '../../components/Button';
import { callStore, useCall } from '../../state/call';
import { explain } from './explain';

/** Stands in for the form when devices fail: why, and what can be done. */
export function DeviceProblems() {
  const problems = useCall((state) => state.problems);
  const local = useCall((state) => state.local);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    heading.current?.focus();
  }, []);
  const { joinAnyway, retryDevices, leave } = callStore.getState();
  const isInsecure = problems.some(({ cause }) => cause === 'insecure');
  return (
    <section aria-labelledby="device-problems" className="flex animate-appear flex-col gap-5">
      <h2 id="device-problems" ref={heading} tabIndex={-1} className="flex items-center gap-2.5 text-lg font-semibold outline-none">
        <TriangleAlert size={20} className="text-warn" aria-hidden />
        {local.microphone || local.camera ? 'Not everything works' : 'No microphone, no camera'}
      </h2>
      <ul className="flex flex-col gap-3">
        {explain(problems).map(({ title, advice }) => (
          <li key={title} className="rounded-xl border border-line bg-ground px-4 py-3">
            <p className="font-medium">{title}</p>
            <p className="mt-1 text-sm leading-relaxed text-soft">{advice}</p>
          </li>
        ))}
      </ul>
      <div className="flex flex-col gap-2.5">
        {!isInsecure && (
          <Button look="primary" onClick={() => void retryDevices()}>
            <RotateCw size={16} aria-hidden /> Try again
          </Button>
        )}
        <Button look={isInsecure ? 'primary' : 'secondary'} onClick={joinAnyway}>
          {anywayLabel(local.microphone !== null, local.camera !== null)}
        </Button>
        <Button look="quiet" onClick={leave}>
          Back
        </Button>
      </div>
    </section>
  );
}

function anywayLabel(microphone: boolean, camera: boolean): string {
  if (microphone) {
    return 'Join with microphone only';
  }
  return camera ? 'Join with camera only' : 'Join without camera and microphone';
}
