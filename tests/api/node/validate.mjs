// Validates the OpenAPI document whose path is the argument.
import SwaggerParser from "@apidevtools/swagger-parser";

try {
  const { info, paths } = await SwaggerParser.validate(process.argv[2]);
  console.log(`${info.title} ${info.version}: ${Object.keys(paths).length} paths`);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
