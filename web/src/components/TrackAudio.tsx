import { useEffect, useRef } from 'react';

interface TrackAudioProps {
  track: MediaStreamTrack;
  /** The browser wants a click first. */
  onBlocked: () => void;
}

/** Plays an audio track; mounted again it tries again. */
export function TrackAudio({ track, onBlocked }: TrackAudioProps) {
  const element = useRef<HTMLAudioElement>(null);
  useEffect(() => {
    const audio = element.current;
    if (!audio) {
      return undefined;
    }
    audio.srcObject = new MediaStream([track]);
    audio.play().catch((error: unknown) => {
      if (error instanceof DOMException && error.name === 'NotAllowedError') {
        onBlocked();
      }
    });
    return () => {
      audio.srcObject = null;
    };
  }, [track, onBlocked]);
  return <audio ref={element} />;
}
