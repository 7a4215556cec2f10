/**
 * Applies the theme that the user has chosen before the browser paints: a script of its own, which the
 * document waits for.
 */
{
  const theme = localStorage.getItem("foreword.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset["theme"] = theme;
}
