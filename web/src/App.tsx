import { CallPage } from './features/call/CallPage';
import { LandingPage } from './features/landing/LandingPage';
import { useCall } from './state/call';

export function App() {
  const isActive = useCall((state) => state.stage === 'active');
  return isActive ? <CallPage /> : <LandingPage />;
}
