# Foreword's image: `docker build --tag foreword .`. docs/containers.md says how to run it.
# BASE is any image with Node 24 and npm; test/slow/image.test.ts builds this file on one of its own.
ARG BASE=node:24-slim

FROM ${BASE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
COPY bench/package.json bench/
COPY packages/foreword-client/package.json packages/foreword-client/
COPY web/package.json web/
# The compiler and the page's libraries; the packages of the tests take ten times the space.
RUN npm ci --ignore-scripts --workspace=web
COPY tsconfig.json tsconfig.build.json ./
COPY src src
COPY packages packages
COPY web web
# `npm run check` has checked the types.
RUN npx --no-install tsc -p tsconfig.build.json --noCheck --declaration false --outDir /app/dist \
 && npx --no-install vite build web --logLevel warn --outDir /app/web/dist

WORKDIR /app
COPY package.json package-lock.json .npmrc supabase_schema.sql LICENSE ./
# The only optional package that is not for development draws PDFs, which the server does not do.
RUN npm ci --ignore-scripts --omit=dev --omit=optional --workspaces=false \
 && find node_modules -type f \( -name '*.map' -o -name '*.d.[cm]ts' -o -name '*.d.ts' \) -delete \
 && rm -r .npmrc package-lock.json \
 && install --directory --owner=10001 node_modules/.cache/foreword
# Node's compile cache is by user: the server reads the one of its own, and cannot change it.
COPY deploy/image/fill-compile-cache.js /build/
USER 10001
RUN node /build/fill-compile-cache.js
USER root
RUN chown -R root:root node_modules/.cache && chmod -R a+rX node_modules/.cache

FROM ${BASE}
LABEL org.opencontainers.image.title="Foreword" org.opencontainers.image.licenses="MIT"
RUN install --directory --owner=10001 --group=10001 --mode=700 /data
WORKDIR /app
COPY --from=build /app ./
# On all addresses the server starts only with AUTH, or with ALLOW_UNAUTHENTICATED=true.
ENV HOST=0.0.0.0 PORT=8000 DATA_DIR=/data
USER 10001:10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.PORT + '/healthz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/main.js"]
CMD ["serve"]
