"""The names of what a Tesla streams: fields, and the words of values that are one of a list, by their numbers.

From the protocol that Tesla publishes (fleet-telemetry, `protos/vehicle_data.proto`, as of July 2026). A number that is
not here is no error: it is kept as a number.
"""

from __future__ import annotations

# By number, from 0.
_FIELDS = """
Unknown DriveRail ChargeState BmsFullchargecomplete VehicleSpeed Odometer PackVoltage PackCurrent Soc DCDCEnable Gear
IsolationResistance PedalPosition BrakePedal DiStateR DiHeatsinkTR DiAxleSpeedR DiTorquemotor DiStatorTempR DiVBatR
DiMotorCurrentR Location GpsState GpsHeading NumBrickVoltageMax BrickVoltageMax NumBrickVoltageMin BrickVoltageMin
NumModuleTempMax ModuleTempMax NumModuleTempMin ModuleTempMin RatedRange Hvil DCChargingEnergyIn DCChargingPower
ACChargingEnergyIn ACChargingPower ChargeLimitSoc FastChargerPresent EstBatteryRange IdealBatteryRange BatteryLevel
TimeToFullCharge ScheduledChargingStartTime ScheduledChargingPending ScheduledDepartureTime PreconditioningEnabled
ScheduledChargingMode ChargeAmps ChargeEnableRequest ChargerPhases ChargePortColdWeatherMode ChargeCurrentRequest
ChargeCurrentRequestMax BatteryHeaterOn NotEnoughPowerToHeat SuperchargerSessionTripPlanner DoorState Locked FdWindow
FpWindow RdWindow RpWindow VehicleName SentryMode SpeedLimitMode CurrentLimitMph Version TpmsPressureFl TpmsPressureFr
TpmsPressureRl TpmsPressureRr SemitruckTpmsPressureRe1L0 SemitruckTpmsPressureRe1L1 SemitruckTpmsPressureRe1R0
SemitruckTpmsPressureRe1R1 SemitruckTpmsPressureRe2L0 SemitruckTpmsPressureRe2L1 SemitruckTpmsPressureRe2R0
SemitruckTpmsPressureRe2R1 TpmsLastSeenPressureTimeFl TpmsLastSeenPressureTimeFr TpmsLastSeenPressureTimeRl
TpmsLastSeenPressureTimeRr InsideTemp OutsideTemp SeatHeaterLeft SeatHeaterRight SeatHeaterRearLeft
SeatHeaterRearRight SeatHeaterRearCenter AutoSeatClimateLeft AutoSeatClimateRight DriverSeatBelt PassengerSeatBelt
DriverSeatOccupied SemitruckPassengerSeatFoldPosition LateralAcceleration LongitudinalAcceleration Deprecated_2
CruiseSetSpeed LifetimeEnergyUsed LifetimeEnergyUsedDrive SemitruckTractorParkBrakeStatus
SemitruckTrailerParkBrakeStatus BrakePedalPos RouteLastUpdated RouteLine MilesToArrival MinutesToArrival
OriginLocation DestinationLocation CarType Trim ExteriorColor RoofColor ChargePort ChargePortLatch Experimental_1
Experimental_2 Experimental_3 Experimental_4 GuestModeEnabled PinToDriveEnabled PairedPhoneKeyAndKeyFobQty
CruiseFollowDistance AutomaticBlindSpotCamera BlindSpotCollisionWarningChime SpeedLimitWarning ForwardCollisionWarning
LaneDepartureAvoidance EmergencyLaneDepartureAvoidance AutomaticEmergencyBrakingOff LifetimeEnergyGainedRegen DiStateF
DiStateREL DiStateRER DiHeatsinkTF DiHeatsinkTREL DiHeatsinkTRER DiAxleSpeedF DiAxleSpeedREL DiAxleSpeedRER
DiSlaveTorqueCmd DiTorqueActualR DiTorqueActualF DiTorqueActualREL DiTorqueActualRER DiStatorTempF DiStatorTempREL
DiStatorTempRER DiVBatF DiVBatREL DiVBatRER DiMotorCurrentF DiMotorCurrentREL DiMotorCurrentRER EnergyRemaining
ServiceMode BMSState GuestModeMobileAccessState Deprecated_1 DestinationName DiInverterTR DiInverterTF DiInverterTREL
DiInverterTRER Experimental_5 Experimental_6 Experimental_7 Experimental_8 Experimental_9 Experimental_10
Experimental_11 Experimental_12 Experimental_13 Experimental_14 Experimental_15 DetailedChargeState
CabinOverheatProtectionMode CabinOverheatProtectionTemperatureLimit CenterDisplay ChargePortDoorOpen ChargerVoltage
ChargingCableType ClimateKeeperMode DefrostForPreconditioning DefrostMode EfficiencyPackage
EstimatedHoursToChargeTermination EuropeVehicle ExpectedEnergyPercentAtTripArrival FastChargerType HomelinkDeviceCount
HomelinkNearby HvacACEnabled HvacAutoMode HvacFanSpeed HvacFanStatus HvacLeftTemperatureRequest HvacPower
HvacRightTemperatureRequest HvacSteeringWheelHeatAuto HvacSteeringWheelHeatLevel OffroadLightbarPresent
PowershareHoursLeft PowershareInstantaneousPowerKW PowershareStatus PowershareStopReason PowershareType
RearDisplayHvacEnabled RearSeatHeaters RemoteStartEnabled RightHandDrive RouteTrafficMinutesDelay
SoftwareUpdateDownloadPercentComplete SoftwareUpdateExpectedDurationMinutes SoftwareUpdateInstallationPercentComplete
SoftwareUpdateScheduledStartTime SoftwareUpdateVersion TonneauOpenPercent TonneauPosition TonneauTentMode
TpmsHardWarnings TpmsSoftWarnings ValetModeEnabled WheelType WiperHeatEnabled LocatedAtHome LocatedAtWork
LocatedAtFavorite SettingDistanceUnit SettingTemperatureUnit Setting24HourTime SettingTirePressureUnit
SettingChargeUnit ClimateSeatCoolingFrontLeft ClimateSeatCoolingFrontRight LightsHazardsActive LightsTurnSignal
LightsHighBeams MediaPlaybackStatus MediaPlaybackSource MediaAudioVolume MediaNowPlayingDuration
MediaNowPlayingElapsed MediaNowPlayingArtist MediaNowPlayingTitle MediaNowPlayingAlbum MediaNowPlayingStation
MediaAudioVolumeIncrement MediaAudioVolumeMax SunroofInstalled SeatVentEnabled RearDefrostEnabled
ChargeRateMilePerHour Deprecated_3 MilesSinceReset SelfDrivingMilesSinceReset
"""
FIELDS = tuple(_FIELDS.split())

# By the member of `Value` that holds one: what each word begins with, and the words by number, from 0.
_WORDS = {
    8: ("ChargeState", "Unknown Disconnected NoPower Starting Charging Complete Stopped"),
    9: ("ShiftState", "Unknown Invalid P R N D SNA"),
    11: ("LaneAssistLevel", "Unknown None Warning Assist"),
    12: ("ScheduledChargingMode", "Unknown Off StartAt DepartBy"),
    13: ("SentryModeState", "Unknown Off Idle Armed Aware Panic Quiet"),
    14: ("SpeedAssistLevel", "Unknown None Display Chime"),
    15: ("BMSState", "Unknown Standby Drive Support Charge FEIM ClearFault Fault Weld Test SNA"),
    16: ("BuckleStatus", "Unknown Unlatched Latched Faulted"),
    17: ("CarType", "Unknown ModelS ModelX Model3 ModelY SemiTruck Cybertruck"),
    18: ("ChargePort", "Unknown US EU GB CCS"),
    19: ("ChargePortLatch", "Unknown SNA Disengaged Engaged Blocking"),
    22: ("DriveInverterState", "Unknown Unavailable Standby Fault Abort Enable"),
    23: ("HvilStatus", "Unknown Fault OK"),
    24: ("WindowState", "Unknown Closed PartiallyOpen Opened"),
    25: ("SeatFoldPosition", "Unknown SNA Faulted NotConfigured Folded Unfolded"),
    26: (
        "TractorAirStatus",
        "Unknown NotAvailable Error Charged BuildingPressureIntermediate ExhaustingPressureIntermediate Exhausted",
    ),
    27: ("FollowDistance", "Unknown 1 2 3 4 5 6 7"),
    28: ("ForwardCollisionSensitivity", "Unknown Off Late Average Early"),
    29: (
        "GuestModeMobileAccess",
        "Unknown Init NotAuthenticated Authenticated AbortedDriving AbortedUsingRemoteStart "
        "AbortedUsingBLEKeys AbortedValetMode AbortedGuestModeOff AbortedDriveAuthTimeExceeded "
        "AbortedNoDataReceived RequestingFromMothership RequestingFromAuthD AbortedFetchFailed "
        "AbortedBadDataReceived ShowingQRCode SwipedAway DismissedQRCodeExpired SucceededPairedNewBLEKey",
    ),
    30: (
        "TrailerAirStatus",
        "Unknown SNA Invalid BobtailMode Charged BuildingPressureIntermediate ExhaustingPressureIntermediate Exhausted",
    ),
    32: ("DetailedChargeState", "Unknown Disconnected NoPower Starting Charging Complete Stopped"),
    33: ("HvacAutoModeState", "Unknown On Override"),
    34: ("CabinOverheatProtectionModeState", "Unknown Off On FanOnly"),
    35: ("ClimateOverheatProtectionTempLimit", "Unknown High Medium Low"),
    36: ("DefrostModeState", "Unknown Off Normal Max AutoDefog"),
    37: ("ClimateKeeperModeState", "Unknown Off On Dog Party"),
    38: ("HvacPowerState", "Unknown Off On Precondition OverheatProtect"),
    40: ("FastCharger", "Unknown Supercharger CHAdeMO GB ACSingleWireCAN Combo MCSingleWireCAN Other SNA"),
    41: ("CableType", "Unknown IEC SAE GB_AC GB_DC SNA"),
    42: ("TonneauTentModeState", "Unknown Inactive Moving Failed Active"),
    43: ("TonneauPositionState", "Unknown Invalid Closed PartiallyOpen FullyOpen"),
    44: ("PowershareTypeStatus", "Unknown None Load Home"),
    45: ("PowershareState", "Unknown Inactive Handshaking Init Enabled EnabledReconnectingSoon Stopped"),
    46: ("PowershareStopReasonStatus", "Unknown None SOCTooLow Retry Fault User Reconnecting Authentication"),
    47: ("DisplayState", "Unknown Off Dim Accessory On Driving Charging Lock Sentry Dog Entertainment"),
    48: ("DistanceUnit", "Unknown Miles Kilometers"),
    49: ("TemperatureUnit", "Unknown Fahrenheit Celsius"),
    50: ("PressureUnit", "Unknown Psi Bar"),
    51: ("ChargeUnit", "Unknown Distance Percent"),
    52: ("TurnSignalState", "Unknown Off Left Right Both"),
    53: ("MediaStatus", "Unknown Stopped Playing Paused"),
    54: ("SunroofInstalledState", "Unknown NotInstalled Gen1Installed Gen2Installed"),
}
WORDS = {member: [prefix + word for word in words.split()] for member, (prefix, words) in _WORDS.items()}
