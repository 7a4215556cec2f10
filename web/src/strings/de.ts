/** The page's texts in German. */
import type { Strings } from "./strings.ts";

export const de: Strings = {
  page: {
    skip: "Zum Chat springen",
    conversations: "Unterhaltungen",
    chat: "Chat",
  },
  history: {
    newChat: "Neuer Chat",
    search: "Unterhaltungen suchen",
    open: "Unterhaltungen zeigen",
    close: "Schließen",
    archived: "Archiv",
    previousWeek: "Letzte 7 Tage",
    noConversations: "Hier erscheinen deine Unterhaltungen.",
    noArchived: "Dein Archiv ist leer.",
    nothingFound: "Nichts gefunden. Alle Wörter müssen im Titel oder in einer Nachricht vorkommen.",
    rename: "Umbenennen",
    newTitle: "Neuer Titel",
    archive: "Archivieren",
    unarchive: "Aus dem Archiv holen",
    delete: "Löschen",
    actions: (title: string) => `Aktionen für „${title}“`,
    undo: "Rückgängig",
    dismiss: "Schließen",
    tryAgain: "Noch einmal versuchen",
    notices: {
      deleted: (title: string) => `„${title}“ ist gelöscht.`,
      archived: (title: string) => `„${title}“ ist im Archiv.`,
      unarchived: (title: string) => `„${title}“ ist wieder in der Liste.`,
    },
    failed: {
      rename: "Die Unterhaltung wurde nicht umbenannt.",
      archive: "Die Unterhaltung wurde nicht verschoben.",
      delete: "Die Unterhaltung wurde nicht gelöscht.",
      "delete-all": "Die Unterhaltungen wurden nicht gelöscht.",
    },
    problems: {
      offline: "Du bist offline.",
      slow: "Der Server braucht lange.",
      unreachable: "Der Server ist nicht erreichbar.",
      historyOff: "Dieser Server bewahrt keine Unterhaltungen auf.",
      signedOut: "Du bist abgemeldet.",
      store: "Der Server erreicht seine Datenbank nicht.",
      tooMany: "Zu viele Anfragen: Warte einen Moment.",
      other: "Etwas ist schiefgegangen.",
    },
  },
};
