/** The page's texts in English. */
export const en = {
  page: {
    skip: "Skip to the chat",
    conversations: "Conversations",
    chat: "Chat",
  },
};
