/** The MCP client library, loaded when the first server is connected: it takes half a second and 30 MB. */

/** Resolves with the parts of the library that are used. */
export async function loadSdk() {
  const [library, { getDefaultEnvironment }] = await Promise.all([
    import("@modelcontextprotocol/client"),
    import("@modelcontextprotocol/client/stdio"),
  ]);
  return { ...pick(library), getDefaultEnvironment };
}

/** The parts of the library that are used. */
export type Sdk = Awaited<ReturnType<typeof loadSdk>>;

function pick({
  Client,
  StreamableHTTPClientTransport,
  ProtocolError,
  SdkError,
  SdkErrorCode,
  SdkHttpError,
  parseJSONRPCMessage,
}: typeof import("@modelcontextprotocol/client")) {
  return {
    Client,
    StreamableHTTPClientTransport,
    ProtocolError,
    SdkError,
    SdkErrorCode,
    SdkHttpError,
    parseJSONRPCMessage,
  };
}
