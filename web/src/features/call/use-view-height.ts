import { useEffect } from 'react';
import { callStore } from '../../state/call';

/** While a window is dragged larger or people come in, sizes are not worth telling. */
const SETTLED_MS = 300;

/** Tells the server how large a picture of it is shown, once for each track and whenever that changes. */
export function useViewHeight(producerId: string | null, video: MediaStreamTrack | null, height: number): void {
  useEffect(() => {
    if (producerId === null || video === null) {
      return undefined;
    }
    const timer = setTimeout(() => {
      callStore.getState().setViewHeight(producerId, height * window.devicePixelRatio);
    }, SETTLED_MS);
    return () => {
      clearTimeout(timer);
    };
  }, [producerId, video, height]);
}
