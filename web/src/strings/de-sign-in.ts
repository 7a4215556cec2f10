/** The texts of signing in, in German. */
import type { enSignIn } from "./en-sign-in.ts";

/** The texts. */
export const deSignIn: typeof enSignIn = {
  title: "Anmelden",
  titles: {
    password: "Anmelden",
    link: "Mit E-Mail anmelden",
    signUp: "Konto anlegen",
    reset: "Neues Passwort setzen",
    code: "Sieh in deine E-Mails",
    newPassword: "Neues Passwort setzen",
  },
  hints: {
    password: "",
    link: "Du bekommst eine E-Mail mit einem Link oder Code und brauchst kein Passwort.",
    signUp: "",
    reset: "Du bekommst eine E-Mail mit einem Link oder Code.",
  },
  submits: {
    password: "Anmelden",
    link: "E-Mail senden",
    signUp: "Konto anlegen",
    reset: "E-Mail senden",
    code: "Anmelden",
    newPassword: "Passwort speichern",
  },
  ways: {
    password: "Mit Passwort anmelden",
    link: "Ohne Passwort anmelden",
    signUp: "Konto anlegen",
    reset: "Passwort vergessen?",
  },
  wait: "Einen Moment …",
  email: "E-Mail-Adresse",
  password: "Passwort",
  newPassword: "Neues Passwort",
  code: "Code",
  continueWith: (provider) => `Weiter mit ${provider}`,
  or: "oder",
  noWay: "Der Betreiber dieses Servers hat keine Anmeldung eingeschaltet, die diese Seite kennt.",
  sent: (email) =>
    `Eine E-Mail an ${email} ist unterwegs. Öffne ihren Link in diesem Browser oder gib hier ihren Code ein.`,
  sendAgain: "Noch einmal senden",
  sentAgain: "Noch einmal gesendet.",
  back: "Zurück",
  keepPassword: "Das alte behalten",
  tryAgain: "Noch einmal versuchen",
  signedIn: "Angemeldet",
  signOut: "Abmelden",
  problems: {
    wrongPassword: "Die E-Mail-Adresse oder das Passwort ist falsch.",
    notConfirmed:
      "Diese Adresse ist noch nicht bestätigt. Öffne den Link in der E-Mail an dich oder melde dich ohne Passwort an.",
    expired: "Der Link oder Code ist falsch, zu alt oder schon benutzt. Fordere einen neuen an.",
    otherBrowser:
      "Der Link gilt nur in dem Browser, in dem du ihn angefordert hast. Gib dort den Code ein oder fordere hier einen neuen an.",
    refused: "Der Anbieter hat dich nicht angemeldet. Versuche es noch einmal oder nimm einen anderen Weg.",
    tooMany: "Zu viele Versuche. Warte ein paar Minuten und versuche es noch einmal.",
    taken: "Zu dieser Adresse gibt es ein Konto. Melde dich an oder setze ein neues Passwort.",
    noSignUp: "Zu dieser Adresse gibt es kein Konto, und es werden keine angelegt.",
    weakPassword: "Dieses Passwort ist zu leicht zu erraten. Nimm ein längeres mit Buchstaben und Ziffern.",
    samePassword: "Das ist das alte Passwort. Nimm ein anderes.",
    badEmail: "Diese E-Mail-Adresse ist ungültig.",
    mailRefused: "An diese Adresse sendet das Projekt keine E-Mails. Frage den Betreiber dieses Servers.",
    banned: "Dieses Konto ist gesperrt. Frage den Betreiber dieses Servers.",
    notOffered: "Diese Anmeldung ist ausgeschaltet. Nimm einen anderen Weg.",
    captcha:
      "Das Projekt verlangt ein Captcha, das diese Seite nicht zeigen kann. Frage den Betreiber dieses Servers.",
    unreachable:
      "Der Anmeldeserver ist nicht erreichbar. Prüfe deine Verbindung und versuche es noch einmal.",
    sessionEnded: "Deine Sitzung ist zu Ende. Melde dich wieder an: Nichts Geschriebenes geht verloren.",
    tokenRefused:
      "Dieser Server nimmt deine Sitzung nicht an. Melde dich neu an; hilft das nicht, frage den Betreiber.",
    other: "Die Anmeldung hat nicht geklappt. Versuche es noch einmal.",
  },
};
