import { useEffect, useRef } from 'react';

interface TrackVideoProps {
  track: MediaStreamTrack;
  label: string;
  /** `contain` shows everything, `cover` fills the tile. */
  fit: 'contain' | 'cover';
  mirrored?: boolean;
}

/** Shows a video track; sound is played elsewhere. */
export function TrackVideo({ track, label, fit, mirrored = false }: TrackVideoProps) {
  const element = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    const video = element.current;
    if (!video) {
      return undefined;
    }
    video.srcObject = new MediaStream([track]);
    // Muted video may always play; it is rejected only when the element goes away meanwhile.
    video.play().catch(() => undefined);
    return () => {
      video.srcObject = null;
    };
  }, [track]);
  return (
    <video
      ref={element}
      aria-label={label}
      autoPlay
      muted
      playsInline
      className={`absolute inset-0 h-full w-full ${fit === 'cover' ? 'object-cover' : 'object-contain'} ${mirrored ? '-scale-x-100' : ''}`}
    />
  );
}
