#pragma once

namespace spdlog {
class logger;
}
