# The demo app and the command line, with their weights: nothing is downloaded when it runs.
#
#   docker build -t faceqa .                                # for a CPU
#   docker build -t faceqa --build-arg TORCH_BACKEND= .     # for CUDA
FROM python:3.11-slim-bookworm

WORKDIR /app

COPY packages.txt ./
RUN apt-get update \
    && xargs -a packages.txt apt-get install -y --no-install-recommends \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 faceqa

# uv knows where PyTorch keeps its builds for CPUs; PyPI's are for CUDA.
ARG TORCH_BACKEND=cpu
COPY requirements.txt constraints.txt ./
RUN pip install --no-cache-dir -c constraints.txt uv \
    && uv pip install --python python --no-cache -c constraints.txt -r requirements.txt \
    ${TORCH_BACKEND:+--torch-backend "$TORCH_BACKEND"}

COPY . .
RUN pip install --no-cache-dir --no-deps -e .

USER 1000
ENV GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=7860
EXPOSE 7860
HEALTHCHECK --start-period=60s --timeout=10s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:7860')"]
CMD ["python", "app.py"]
