interface ImportMetaEnv {
  /** Where the server is when it does not serve this page itself. */
  readonly VITE_SERVER_URL?: string;
}
